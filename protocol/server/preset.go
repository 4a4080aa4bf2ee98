package server

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/internal/secret"
	"github.com/servegauge/servegauge/protocol/vllm"
)

// Preset is a model of the MI325X cookbook in a container that is made for each start. run overrides what the preset
// leaves to the user; where o has a URL with a port, the server listens at that port.
func Preset(p vllm.Preset, run vllm.RunOptions, o Options) (Run, error) {
	o = o.withDefaults()
	if u, err := url.Parse(o.URL); err == nil && run.Port == 0 && u.Port() != "" {
		run.Port, _ = strconv.Atoi(u.Port())
	}
	argv, err := p.DockerRun(run)
	if err != nil {
		return Run{}, err
	}
	return Run{
		Argv: argv, Options: o, Pinned: p.Image.DigestPrefix, Preset: &p,
		Asked: asked(map[string]any{"preset": p, "argv": secret.Args(slices.Clone(argv))}),
	}, nil
}

// parsePreset reads a preset's name and overrides, with blanks between them:
//
//	llama-3.1-405b VLLM_ROCM_USE_AITER=1 image=vllm/vllm-openai-rocm:v0.14.1 --max-num-seqs 256
//
// NAME=VALUE is a variable inside the container; image=, model=, name= and hf-cache= are what they say, docker= is a
// flag of docker run; what begins with a dash, and all behind it, are arguments of the server.
func parsePreset(value string) (vllm.Preset, vllm.RunOptions, error) {
	words, err := split(value)
	if err != nil || len(words) == 0 {
		return vllm.Preset{}, vllm.RunOptions{}, fmt.Errorf("want the name of a preset (%v)", err)
	}
	// A name may have blanks; what comes behind it looks otherwise.
	n := 1
	for n < len(words) && !strings.Contains(words[n], "=") && !strings.HasPrefix(words[n], "-") {
		n++
	}
	p, err := vllm.Find(strings.Join(words[:n], " "))
	if err != nil {
		return p, vllm.RunOptions{}, err
	}
	run := vllm.RunOptions{Env: map[string]string{}}
	for i, word := range words[n:] {
		if strings.HasPrefix(word, "-") {
			run.Args = words[n+i:]
			break
		}
		name, value, ok := strings.Cut(word, "=")
		switch {
		case name == "image":
			p.Image.Reference, p.Image.DigestPrefix = value, ""
			if _, digest, pinned := strings.Cut(value, "@"); pinned {
				p.Image.DigestPrefix = digest
			}
			if !imageName.MatchString(value) {
				return p, run, fmt.Errorf("image=%q: want a reference such as vllm/vllm-openai-rocm:v0.14.1", value)
			}
		case name == "model":
			p.Model = value
		case name == "name":
			run.Name = value
		case name == "hf-cache":
			run.HFCache = value
		case name == "docker":
			run.DockerArgs = append(run.DockerArgs, value)
		case ok && strings.ToUpper(name) == name:
			run.Env[name] = value
		default:
			return p, run, fmt.Errorf("%q: want NAME=VALUE for a variable, image=, model=, name=, hf-cache=, docker=, "+
				"or an argument of the server, which begins with a dash", word)
		}
	}
	return p, run, run.Validate()
}
