package server

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/protocol"
)

// A kind is a line of the table of what -server takes.
type kind struct {
	name string // before the colon
	form string // as help and errors show it
	make func(value string, o Options) (protocol.Server, error)
}

// kinds is a func, since its entries and Parse refer to each other.
func kinds() []kind {
	return []kind{
		{"docker", "docker:NAME, or docker:run …", containers("docker", Docker)},
		{"podman", "podman:NAME, or podman:run …", containers("podman", Podman)},
		{"compose", "compose:SERVICE", named(Compose)},
		{"kubectl", "kubectl:NS/deploy/NAME, or …/sts/NAME, with =REPLICAS behind it where it is scaled to 0",
			parseWorkload},
		{"systemd", "systemd:UNIT", named(Systemd)},
		{"preset", "preset:MODEL, with overrides behind it", func(value string, o Options) (protocol.Server, error) {
			p, run, err := parsePreset(value)
			if err != nil {
				return nil, err
			}
			return orError(Preset(p, run, o))
		}},
		{"process", "process:ARGV", func(value string, o Options) (protocol.Server, error) {
			argv, err := split(value)
			if err != nil || len(argv) == 0 {
				return nil, errors.Join(errors.New("want a command with its arguments"), err)
			}
			return Process{Argv: argv, URL: o.withDefaults().URL, Grace: o.Grace}, nil
		}},
		{"cmd", "cmd:STOP;START, where STOP may be empty", parseCommands},
		{"none", "none", func(value string, o Options) (protocol.Server, error) {
			if value != "" || o.URL == "" {
				return nil, errors.New("want -url, which names the server that is to be left as it is")
			}
			return None(o.URL), nil
		}},
	}
}

// Forms is what [Parse] takes, for help.
func Forms() string {
	var forms []string
	for _, k := range kinds() {
		forms = append(forms, k.form)
	}
	return strings.Join(forms, "; ") + "; or a FILE.json with a configuration"
}

// Parse makes a server from a line of text: a kind, a colon and what the kind wants, or the name of a file with a
// [Configuration].
func Parse(text string, o Options) (protocol.Server, error) {
	name, value, _ := strings.Cut(text, ":")
	for _, k := range kinds() {
		if k.name != name {
			continue
		}
		s, err := k.make(strings.TrimSpace(value), o)
		if err != nil {
			return nil, fmt.Errorf("server %q: %w; the form is %s", text, err, k.form)
		}
		return s, nil
	}
	if _, err := os.Stat(text); err == nil || strings.HasSuffix(text, ".json") {
		c, err := ReadConfiguration(text)
		if err != nil {
			return nil, err
		}
		return c.Server(o), nil
	}
	return nil, fmt.Errorf("server %q: want one of %s", text, Forms())
}

// orError keeps a server and its error apart in an interface.
func orError[S protocol.Server](s S, err error) (protocol.Server, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// named is for kinds that want one name.
func named(control func(string, Options) Control) func(string, Options) (protocol.Server, error) {
	return func(value string, o Options) (protocol.Server, error) {
		// No dash in front, which the tools would take for a flag.
		if !objectName.MatchString(value) {
			return nil, fmt.Errorf("%q is no name: letters, digits and any of _.@:-, a letter or digit first", value)
		}
		return control(value, o).Server(), nil
	}
}

// containers is for docker and podman: a name, or "run" and its arguments.
func containers(tool string, byName func(string, Options) Control) func(string, Options) (protocol.Server, error) {
	return func(value string, o Options) (protocol.Server, error) {
		if value != "run" && !strings.HasPrefix(value, "run ") {
			return named(byName)(value, o)
		}
		words, err := split(value)
		if err != nil {
			return nil, err
		}
		r := Run{Argv: append([]string{tool}, words...), Options: o.withDefaults()}
		_, err = r.control()
		return orError(r, err)
	}
}

func parseWorkload(value string, o Options) (protocol.Server, error) {
	parts := strings.Split(value, "/")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%q has not three parts", value)
	}
	kind := map[string]string{
		"deploy": "deploy", "deployment": "deploy", "deployments": "deploy",
		"sts": "sts", "statefulset": "sts", "statefulsets": "sts",
	}[parts[1]]
	if kind == "" {
		return nil, fmt.Errorf("%q is neither deploy nor sts", parts[1])
	}
	w := &workload{namespace: parts[0], kind: kind, options: o}
	name, count, counted := strings.Cut(parts[2], "=")
	if counted {
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q: want a number of replicas, at least 1", count)
		}
		w.replicas = n
	}
	if w.name = name; !objectName.MatchString(w.namespace) || !objectName.MatchString(name) {
		return nil, fmt.Errorf("%q: want names of letters, digits and dashes", value)
	}
	return w, nil
}

func parseCommands(value string, o Options) (protocol.Server, error) {
	stop, start, ok := strings.Cut(value, ";")
	stop, start = strings.TrimSpace(stop), strings.TrimSpace(start)
	if !ok || start == "" {
		return nil, errors.New("two shell commands, the first semicolon ends STOP")
	}
	o = o.withDefaults()
	return Commands{StopCommand: stop, StartCommand: start, URL: o.URL, Probe: o.Probe, Grace: o.Grace}, nil
}

// split splits a line into words as a POSIX shell does, with quotes and backslashes and nothing else: variables,
// globs and operators are text like any other.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	runes := []rune(line)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case quote == '\'' && r == quote, quote == '"' && r == quote:
			quote = 0
		case quote == '\'':
			word.WriteRune(r)
		case r == '\\':
			if i++; i == len(runes) {
				return nil, errors.New("a backslash at its end")
			}
			if quote == '"' && !strings.ContainsRune("\"\\$`", runes[i]) {
				word.WriteRune(r)
			}
			word.WriteRune(runes[i])
			inWord = true
		case quote == '"':
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c that is not closed", quote)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
