package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Codes of the warnings about a start.
const (
	WarnLeftOver = "left-over" // an earlier run was killed and left a server, which was ended, or something else
	WarnReplaced = "replaced"  // a server that ran already was stopped, as -server says
	WarnKilled   = "killed"    // a server did not end when it was asked to, and was killed
)

// A note of a child lies in a file for as long as the child lives. Who is killed cannot take it away, and so the next
// start finds the child. It is ours if it began when the note says, or carries the note's token in its environment:
// process ids are used again.
type note struct {
	Key     string    `json:"key"`     // which server it is: its kind, command and URL
	Command string    `json:"command"` // without secrets, for people
	Time    time.Time `json:"time"`

	PID        int    `json:"pid"` // and the id of its process group; 0: it was about to start
	Start      string `json:"start"`
	Owner      int    `json:"owner"` // the program that started it
	OwnerStart string `json:"owner_start"`
	Token      string `json:"token"`

	file string
}

// tokenVariable marks what a child starts in its turn.
const tokenVariable = "SERVEGAUGE_CHILD"

// notesDir is where notes lie: among the user's own caches, where nobody else can plant one. "": there is no such
// place, and what is left over is then not found.
func notesDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "servegauge", "servers")
}

// newNote makes the note of a child that is about to start, and keeps it. Its token must be in the child's environment.
// That it cannot be kept is no reason to measure nothing.
func newNote(key, command string) *note {
	n := &note{
		Key: key, Command: command, Time: time.Now().UTC(), Token: rand.Text(),
		Owner: os.Getpid(), OwnerStart: processStart(os.Getpid()),
	}
	if dir := notesDir(); dir != "" && n.OwnerStart != "" && os.MkdirAll(dir, 0o700) == nil {
		n.file = filepath.Join(dir, n.Token+".json")
	}
	n.write()
	return n
}

func (n *note) variable() string { return tokenVariable + "=" + n.Token }

// started notes which process the child is.
func (n *note) started(pid int) {
	n.PID, n.Start = pid, processStart(pid)
	n.write()
}

func (n *note) write() {
	text, err := json.Marshal(n)
	if n.file == "" || err != nil {
		return
	}
	if os.WriteFile(n.file+".new", text, 0o600) != nil || os.Rename(n.file+".new", n.file) != nil {
		_ = os.Remove(n.file + ".new")
	}
}

func (n *note) remove() {
	if n.file != "" {
		_ = os.Remove(n.file)
	}
}

// left are the living processes that the note's child was, or started: those of its group, and whoever has the token.
func (n *note) left() (pids []int) {
	first := n.PID > 1 && n.Start != "" && processStart(n.PID) == n.Start
	for _, pid := range processes() {
		if first && inGroup(pid, n.PID) || hasVariable(pid, n.variable()) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (n *note) String() string {
	return fmt.Sprintf("%s, started %s by a run (process %d) that was killed",
		n.Command, n.Time.Format(time.DateTime), n.Owner)
}

// leftOvers are the notes of children that live and whose owner does not. Notes of what has gone are taken away.
func leftOvers() (out []*note) {
	dir := notesDir()
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		n := &note{}
		if err != nil || json.Unmarshal(text, n) != nil || n.Token == "" {
			continue
		}
		n.file = file
		switch {
		case n.OwnerStart != "" && processStart(n.Owner) == n.OwnerStart: // in use
		case len(n.left()) == 0:
			n.remove()
		default:
			out = append(out, n)
		}
	}
	return out
}

// endLeftOvers ends what earlier runs left of the server that is about to start, and says so; what they left of others
// it names.
func endLeftOvers(ctx context.Context, key string, grace time.Duration) (warnings []loadgen.Warning, err error) {
	for _, n := range leftOvers() {
		pids := n.left()
		if len(pids) == 0 {
			continue
		}
		what := fmt.Sprintf("process %d (%s)", pids[0], n)
		if n.Key != key {
			warnings = append(warnings, loadgen.Warning{Code: WarnLeftOver, Message: fmt.Sprintf(
				"%s still runs, and may hold memory or a GPU; end it if nobody needs it", what)})
			continue
		}
		how := "it was ended"
		if !endAll(ctx, n.left, grace, syscall.SIGTERM) {
			how = "it did not end within " + grace.String() + " and was killed"
			if !endAll(ctx, n.left, killPatience, syscall.SIGKILL) {
				return warnings, errors.New(what + " cannot be ended, not even by SIGKILL")
			}
		}
		if ctx.Err() != nil {
			return warnings, context.Cause(ctx)
		}
		n.remove()
		warnings = append(warnings, loadgen.Warning{Code: WarnLeftOver,
			Message: fmt.Sprintf("%s still ran; %s", what, how)})
	}
	return warnings, nil
}

// endAll sends a signal to processes until none of them is left, or for so long.
func endAll(ctx context.Context, left func() []int, patience time.Duration, signal syscall.Signal) bool {
	told := map[int]bool{}
	for deadline := time.Now().Add(patience); ; {
		pids := left()
		if len(pids) == 0 {
			return true
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
		for _, pid := range pids {
			if !told[pid] {
				signalProcess(pid, signal)
				told[pid] = true
			}
		}
		_ = pause(ctx, 20*time.Millisecond)
	}
}

// killPatience is how long the system may take to end what was killed: a process that waits for a device ends later.
const killPatience = 10 * time.Second
