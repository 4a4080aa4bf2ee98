package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/secret"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/vllm"
)

// Run is a container that is made for each start by docker run, or by podman run, and taken away after each stop. It
// bears a mark of ours; a container of the same name that does not is somebody else's, and is left alone.
type Run struct {
	// Argv is the whole command: "docker", "run", flags, image, arguments. It is run in the background, under a name
	// that follows from it where it has none.
	Argv []string

	Options
	Pinned string          // as in [protocol.Instance]
	Asked  json.RawMessage // as in [protocol.Instance]. Zero: Argv, without secrets

	Preset *vllm.Preset // that it is of; nil: of none
}

// ownerLabel is our mark. Its value is the process that made the container and when that was started, so that one whose
// maker was killed is told from one that is in use: "4711 1f0c…-boot-id 48312".
const ownerLabel = "servegauge.owner"

func owner() string { return fmt.Sprintf("%d %s", os.Getpid(), processStart(os.Getpid())) }

// ownerLives reports whether the process that made a container is still there, or may be.
func ownerLives(label string) bool {
	var pid int
	first, start, _ := strings.Cut(label, " ")
	if _, err := fmt.Sscan(first, &pid); err != nil || start == "" {
		return true // a mark from a system that does not tell: not known, so not ours to take away
	}
	return processStart(pid) == start
}

// Start implements [protocol.Server].
func (r Run) Start(ctx context.Context) (*protocol.Instance, error) {
	c, err := r.control()
	if err != nil {
		return nil, &protocol.ServerError{Phase: "start", Err: err}
	}
	warnings, err := r.clear(ctx, c)
	if err != nil {
		return nil, serverError("start", c.Kind+" "+c.Name, err)
	}
	instance, err := c.Server().Start(ctx)
	if err != nil {
		return nil, err
	}
	instance.Warnings = append(warnings, instance.Warnings...)
	return instance, nil
}

// control makes the commands.
func (r Run) control() (Control, error) {
	if len(r.Argv) < 3 || r.Argv[1] != "run" {
		return Control{}, errors.New("a container is made by docker run or podman run, with an image")
	}
	args, name := slices.Clone(r.Argv[2:]), ""
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--name="); ok {
			name = value
		} else if arg == "--name" && i+1 < len(args) {
			name = args[i+1]
		}
		if name != "" {
			break
		}
	}
	flags := []string{"--detach", "--label", ownerLabel + "=" + owner()}
	if name == "" {
		sum := sha256.Sum256([]byte(strings.Join(r.Argv, "\x00")))
		name = "servegauge-" + hex.EncodeToString(sum[:6])
		flags = append(flags, "--name", name)
	}
	// With --rm the exit code of a server that died would be gone with it.
	if i := slices.Index(args, "--rm"); i >= 0 {
		args = slices.Delete(args, i, i+1)
	}
	c := container(r.Argv[0], name, r.Options)
	c.Start = slices.Concat(r.Argv[:2], flags, args)
	c.Remove = []string{r.Argv[0], "rm", name}
	c.Asked, c.Pinned = r.Asked, r.Pinned
	if c.Asked == nil {
		c.Asked = asked(secret.Args(slices.Clone(r.Argv)))
	}
	identity := c.Identity
	c.Identity = func(text []byte) (protocol.Identity, error) {
		if _, err := mark(text); err != nil {
			return protocol.Identity{}, err
		}
		return identity(text)
	}
	return c, nil
}

// mark is the owner of a container, and an error for one that is not of our making.
func mark(text []byte) (string, error) {
	all, err := parseInspected(text)
	if err != nil || len(all) == 0 {
		return "", err
	}
	label, ours := all[0].Config.Labels[ownerLabel]
	if !ours {
		return "", fmt.Errorf("there is a container %.12s of that name that we did not make, and it is left alone; "+
			"remove it, give another --name, or have it restarted by its name", all[0].ID)
	}
	return label, nil
}

// clear takes away a container of ours that an earlier run left, because it was killed.
func (r Run) clear(ctx context.Context, c Control) ([]loadgen.Warning, error) {
	text, err := output(ctx, c.Inspect)
	if e, ok := errors.AsType[*commandError](err); ok && noSuch.MatchString(e.said) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	label, err := mark(text)
	if err != nil {
		return nil, err
	}
	if label == owner() {
		return nil, nil // of an earlier start of ours; Control stops it
	}
	if ownerLives(label) {
		maker, _, _ := strings.Cut(label, " ")
		return nil, fmt.Errorf("process %s uses the container; wait for its end, or give another --name", maker)
	}
	s := c.Server().(controlled)
	id, err := s.inspect(ctx)
	state := id.Proof
	if ended, ok := errors.AsType[*EndedError](err); ok {
		state = ended.Error()
		err = s.remove(ctx)
	} else if err == nil {
		_, err = s.halt(ctx)
	}
	if err != nil {
		return nil, err
	}
	return []loadgen.Warning{{Code: WarnLeftOver, Message: fmt.Sprintf(
		"%s %s was left by a run that was killed (%s), and was removed", c.Kind, c.Name, state)}}, nil
}
