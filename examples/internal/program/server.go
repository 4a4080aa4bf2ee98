package program

import (
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
	"github.com/servegauge/servegauge/protocol/vllm"
)

// serverFlags say how the server is restarted.
type serverFlags struct {
	text    string
	options server.Options
}

// Register registers the flags; that which names the server where there is one.
func (s *serverFlags) Register(flags *flag.FlagSet, one bool) {
	if one {
		s.registerOne(flags)
	}
	flags.StringVar(&s.options.Probe, "server-probe", "",
		"`URL` to ask whether the server has gone, where a gateway stays that answers for it at -url")
	flags.DurationVar(&s.options.Grace, "server-grace", 0,
		"how `long` the server may take to stop before it is killed; 0s: 2m")
}

func (s *serverFlags) registerOne(flags *flag.FlagSet) {
	flags.StringVar(&s.text, "server", "", "what the `server` is, to restart it between runs: "+server.Forms()+
		"; not given: the one at -url, which is left as it is, or a simulated one")
}

// server is what the runner restarts.
func (s *serverFlags) server(l *Load) (protocol.Server, error) {
	if s.text == "" {
		return l.Server(), nil
	}
	if s.options.Grace < 0 {
		return nil, Usagef("-server-grace %v: want 0s (2m) or more", s.options.Grace)
	}
	s.options.URL = l.URL
	made, err := server.Parse(s.text, s.options)
	if err != nil {
		return nil, Usagef("-%v", err)
	}
	return made, nil
}

// show prints what there is to know of the server before it is started.
func (s *serverFlags) show(w io.Writer) error {
	made, err := server.Parse(s.text, s.options)
	run, ok := made.(server.Run)
	if err != nil || !ok {
		return nil // what there is to refuse was refused before
	}
	if run.Preset != nil {
		showPreset(w, run.Preset)
	}
	_, err = fmt.Fprintf(w, "  command\n%s\n", vllm.Argv(run.Argv))
	return err
}

// Server is the server at the URL, which is not restarted, or the simulated one, which is.
func (l *Load) Server() protocol.Server {
	if l.URL != "" {
		return server.None(l.URL)
	}
	simulated := l.simulated()
	return &simulated
}

// simulated is the simulated server, with a prefix cache where that is everything to what is sent.
func (l *Load) simulated() Simulation {
	s := simulation
	if l.sending.known() && !l.sending.has("dataset") && l.sending.Prefix == 0 {
		s.KVBlocks, s.PrefixCache = 1<<16, true
	}
	return s
}

// simulation is the server of those who give none. Its knee is at 16 requests in flight.
var simulation = Simulation{MaxSequences: 16, PrefillRate: 8000, DecodeRate: 500, Noise: 0.05, Seed: 1,
	Grammar: 5 * time.Millisecond}
