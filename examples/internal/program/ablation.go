package program

import (
	"flag"
	"maps"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/protocol/server"
)

// arms are the flags of a comparison of two servers.
type arms struct {
	a, b    string
	urls    [2]string
	body    string // of b
	margin  percentage
	figures names
}

func (x *arms) register(flags *flag.FlagSet) {
	flags.StringVar(&x.a, "a", "", "the `server` that -b is compared with, in one of the forms of -server, or its URL: "+
		"one that runs already and is left as it is; neither -a nor -b: two simulated servers, of which b decodes 10 % "+
		"more slowly")
	flags.StringVar(&x.b, "b", "", "the `server` that is compared with -a, in the same forms")
	flags.StringVar(&x.urls[0], "a-url", "", "`URL` of -a once it is started; none: that of -url")
	flags.StringVar(&x.urls[1], "b-url", "", "`URL` of -b once it is started; none: that of -url")
	flags.StringVar(&x.body, "b-body", "", "`JSON` object of fields to add to each request's body of b, over those of "+
		"-body: it is what is compared, such as '{\"response_format\":{\"type\":\"json_object\"}}' by its ttft_mean; b is then "+
		"the same server as a where -b is not given")
	x.margin = 0.05
	flags.Var(&x.margin, "margin", "largest relative `difference` that does not matter, such as 3%")
	x.figures = names{protocol.KneeFigure}
	flags.Var(&x.figures, "figures", "`names` of the figures that are compared, with commas between them; all claims "+
		"together are wrong once in 20 times at most, so each more costs power")
}

// armsOwn are the flags that say what an ablation says.
var armsOwn = []string{"margin", "figures"}

// servers are those of the arms, by their names.
func (x *arms) servers(l *Load, options server.Options) (map[string]protocol.Server, error) {
	if x.a == "" && x.b == "" {
		if l.URL != "" {
			return nil, Usagef("-url %s: want -a and -b with it, which are compared", l.URL)
		}
		base, slower := l.simulated(), l.simulated()
		if x.body == "" {
			slower.DecodeRate *= 0.9
		}
		slower.Seed += 1_000_000
		return map[string]protocol.Server{design.ArmA: &base, design.ArmB: &slower}, nil
	}
	if x.b == "" && x.body != "" {
		x.b, x.urls[1] = x.a, x.urls[0]
	}
	out := map[string]protocol.Server{}
	for i, text := range []string{x.a, x.b} {
		arm := []string{design.ArmA, design.ArmB}[i]
		if text == "" {
			return nil, Usagef("-%s: want a server, or its URL; the other one has it", arm)
		}
		if strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://") {
			out[arm] = server.None(text)
			continue
		}
		options.URL = l.URL
		if x.urls[i] != "" {
			options.URL = x.urls[i]
		}
		made, err := server.Parse(text, options)
		if err != nil {
			return nil, Usagef("-%s %s: %v", arm, text, err)
		}
		out[arm] = made
	}
	_, fixedA := out[design.ArmA].(server.None)
	_, fixedB := out[design.ArmB].(server.None)
	if fixedA != fixedB {
		return nil, Usagef("-a %s, -b %s: want both restarted, or both left as they are; a fresh start is not compared "+
			"with an old one", x.a, x.b)
	}
	if fixedA && x.a == x.b && x.body == "" {
		return nil, Usagef("-b %s: want another server than -a", x.b)
	}
	return out, nil
}

// clients are those of arms that are asked otherwise.
func (x *arms) clients(l *Load) (map[string]protocol.Client, error) {
	if x.body == "" {
		return nil, nil
	}
	more, err := readBody("b-body", x.body)
	if err != nil {
		return nil, err
	}
	config := l.client.Config
	config.Body = maps.Clone(config.Body)
	if config.Body == nil {
		config.Body = map[string]any{}
	}
	maps.Copy(config.Body, more)
	return map[string]protocol.Client{design.ArmB: l.client.With(config)}, nil
}

// A percentage is a flag of a share: "3%" or "0.03".
type percentage float64

func (p *percentage) String() string { return strconv.FormatFloat(100*float64(*p), 'g', 6, 64) + "%" }

func (p *percentage) Set(s string) error {
	digits, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if percent {
		x /= 100
	}
	if err != nil || !(x > 0 && x <= 1) {
		return Usagef("%q: want a share from above 0 to 100%%, such as 3%%", s)
	}
	*p = percentage(x)
	return nil
}

// names is a flag of names with commas between them.
type names []string

func (n *names) String() string { return strings.Join(*n, ",") }

func (n *names) Set(s string) error {
	*n = nil
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			return Usagef("%q: want names with commas between them", s)
		}
		*n = append(*n, part)
	}
	return nil
}
