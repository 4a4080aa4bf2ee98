package program

import (
	"strings"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/vllm"
)

// A serverFlag is the value of -server.
type serverFlag struct {
	text   string
	none   bool         // none: as it is
	stop   string       // cmd:
	start  string       // cmd:
	preset *vllm.Preset // preset:
}

const serverHelp = "how the server is restarted between runs: `cmd:STOP;START` (two shell commands; the first semicolon ends STOP, and START may stay in the foreground), " +
	"preset:MODEL (with -dry-run: print its docker run), none (it is not restarted)"

func (s *serverFlag) String() string { return s.text }

func (s *serverFlag) Set(text string) error {
	kind, value, _ := strings.Cut(text, ":")
	*s = serverFlag{text: text}
	switch kind {
	case "none":
		s.none = true
		return nil
	case "cmd":
		stop, start, ok := strings.Cut(value, ";")
		s.stop, s.start = strings.TrimSpace(stop), strings.TrimSpace(start)
		if !ok || s.stop == "" || s.start == "" {
			return Usagef("want cmd:STOP;START, two shell commands with a semicolon between them")
		}
		return nil
	case "preset":
		preset, err := vllm.Find(value)
		if err != nil {
			return err
		}
		s.preset = &preset
		return nil
	}
	return Usagef("want cmd:STOP;START, preset:MODEL or none")
}

// server is what the runner restarts.
func (s *serverFlag) server(l *Load) (protocol.Server, error) {
	switch {
	case s.preset != nil:
		return nil, Usagef("-server %s: a preset can be shown with -dry-run; to run it, give its commands: -server 'cmd:docker rm -f NAME;docker run …'", s.text)
	case s.start != "":
		if l.URL == "" {
			l.URL = "http://127.0.0.1:8000"
		}
		return protocol.Commands{StopCommand: s.stop, StartCommand: s.start, URL: l.URL}, nil
	case s.none && l.URL == "":
		return nil, Usagef("-server none: give the -url of the server that is to be left as it is")
	}
	return l.Server(), nil
}

// Server is the server at the URL, which is not restarted, or the simulated one, which is.
func (l *Load) Server() protocol.Server {
	if l.URL != "" {
		return protocol.Fixed(l.URL)
	}
	return &simulation
}

// simulation is the server of those who give none. Its knee is at 16 requests in flight.
var simulation = Simulation{MaxSequences: 16, PrefillRate: 8000, DecodeRate: 500, Noise: 0.05, Seed: 1}
