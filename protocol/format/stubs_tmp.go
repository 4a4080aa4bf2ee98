package format

import (
	"io"

	"github.com/servegauge/servegauge/protocol"
)

var CSV, Benchstat, OpenMetrics Format

func writeVLLM(create func(string) (io.WriteCloser, error), e *protocol.Experiment, a *protocol.Analysis) error {
	return nil
}
func writeLLMD(create func(string) (io.WriteCloser, error), e *protocol.Experiment, a *protocol.Analysis) error {
	return nil
}
