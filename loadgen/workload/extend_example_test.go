package workload_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// mixed is a workload of one's own: every fourth prompt is long. Prompt i is always the same, whoever asks for it.
type mixed struct{ Short, Long, Output int }

func (m mixed) Prompt(i int, p *workload.Prompt) error {
	p.Input, p.Output = m.Short, m.Output
	if i%4 == 3 {
		p.Input = m.Long
	}
	for j := range p.Input {
		p.Tokens = append(p.Tokens, 1000+(31*i+j)%3000) // ids that nearly every model has
	}
	return nil
}

// Any other workload is one method. What it is called in a result is the name of its type, unless it has Describe.
func ExampleWorkload() {
	server := httptest.NewServer(&loadgentest.Echo{})
	defer server.Close()
	target, err := openai.New(openai.Config{
		URL: server.URL, Model: "echo", Workload: mixed{Short: 10, Long: 100, Output: 5},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	result, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 2, Requests: 40}, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Tokens.Input, "tokens in,", result.Tokens.Output, "out")
	// Output: 1300 tokens in, 200 out
}
