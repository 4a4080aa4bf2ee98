package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
)

func TestRun(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "proc", "meminfo")
	if err := os.WriteFile(file, []byte("MemTotal: 1048576 kB\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	earlier, old := filepath.Join(root, "earlier.json"), filepath.Join(root, "old.json")
	if err := os.WriteFile(earlier, []byte(`{"schema": 1, "host": {
		"memory": {"value": 1024, "unit": "B", "scope": "host", "source": "x"},
		"kernel": {"value": "6.8.0", "scope": "host", "source": "x"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, []byte(`{"schema": 0}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"here", nil, 0, "Hardware", ""},
		{"there", []string{"-root", root}, 0, "1 GiB (1,073,741,824 B)", ""},
		{"JSON", []string{"-json", "-root", root}, 0, `"value": 1073741824`, ""},
		{"changed", []string{"-diff", earlier, "-root", root}, 0, "changed         host.memory  1024 B", ""},
		{"not comparable", []string{"-diff", earlier, "-root", root}, 0, "not comparable  host.kernel", ""},
		{"diff as JSON", []string{"-json", "-diff", earlier, "-root", root}, 0, `"hash_before": "sha256:`, ""},
		{"diff of nothing", []string{"-diff", filepath.Join(root, "none"), "-root", root}, 1, "", "no such file"},
		{"diff of an old one", []string{"-diff", old}, 1, "", "its schema is 0, and this program's is 1"},
		{"diff of another file", []string{"-diff", file}, 1, "", "give a file that envinfo -json has written"},
		{"state", []string{"-state", "-root", root}, 0, "Memory available", ""},
		{"state as JSON", []string{"-state", "-json", "-root", root}, 0, `"memory_available": {`, ""},
		{"tables", []string{"-tables", "-root", root}, 0, "Memory       1 GiB", ""},
		{"MLPerf", []string{"-mlperf", "-root", root}, 0, `"host_memory_capacity": "1 GiB"`, ""},
		{"two forms", []string{"-mlperf", "-state"}, 2, "", "give one of them"},
		{"tables as JSON", []string{"-tables", "-json"}, 2, "", "no JSON"},
		{"model", []string{"-root", root, "-model", "/m"}, 0, "/m/config.json: no such file", ""},
		{"model as JSON", []string{"-root", root, "-model", "/m", "-json"}, 0, `"name": {`, ""},
		{"server", []string{"-url", "http://user:planted@127.0.0.1:1"}, 0, "GET /version", ""},
		{"a key of nothing", []string{"-api-key-env", "HOME"}, 2, "", "give -url too"},
		{"a key that is not there", []string{"-url", "http://127.0.0.1:1", "-api-key-env", "NO_SUCH_VARIABLE"}, 2,
			"",
			"-api-key-env NO_SUCH_VARIABLE"},
		{"no CA", []string{"-url", "https://127.0.0.1:1", "-ca-file", file}, 2, "", "want PEM"},
		{"a time that is none", []string{"-tools-timeout", "-1s"}, 2, "", "-tools-timeout -1s"},
		{"no server", []string{"-url", "127.0.0.1"}, 2, "", "give http://HOST:PORT"},
		{"no container", []string{"-container", "vm:c"}, 2, "", "give docker, podman or kubernetes"},
		{"not a container", []string{"-container", "-c"}, 2, "", "give its name or id"},
		{"container of a tree", []string{"-root", root, "-container", "c"}, 2, "", "no -container"},
		{"pinned of nothing", []string{"-pinned", "sha256:1"}, 2, "", "give -container too"},
		{"state of a server", []string{"-state", "-url", "http://127.0.0.1:1"}, 2, "", "it takes no"},
		{"help", []string{"-h"}, 0, "-root DIR", ""},
		{"no such root", []string{"-root", filepath.Join(root, "none")}, 1, "", `none" is not a directory`},
		{"root is a file", []string{"-root", file}, 1, "", "is not a directory"},
		{"empty root", []string{"-root", ""}, 1, "", `-root "" is not a directory`},
		{"stray argument", []string{"-json", "now"}, 2, "", `unexpected argument "now"`},
		{"unknown flag", []string{"-yaml"}, 2, "", "-yaml"},
		{"flag without its value", []string{"-root"}, 2, "", "-root"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), test.args, &stdout, &stderr); code != test.code {
				t.Errorf("exit status %d, want %d", code, test.code)
			}
			if !strings.Contains(stdout.String(), test.stdout) || test.stdout == "" && stdout.Len() > 0 {
				t.Errorf("stdout is %q, want %q in it", &stdout, test.stdout)
			}
			if got := stderr.String(); !strings.Contains(got, test.stderr) || test.stderr == "" && got != "" ||
				strings.Count(got, "\n") > 1 {
				t.Errorf("stderr is %q, want one line with %q", got, test.stderr)
			}
			if strings.Contains(stdout.String()+stderr.String(), "planted") {
				t.Error("a password is printed")
			}
			if test.name == "JSON" {
				var env envinfo.Environment
				if err := json.Unmarshal(stdout.Bytes(), &env); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, nil, &stdout, &stderr); code != 1 || !strings.Contains(stdout.String(), "Hardware") ||
		strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("exit status %d, stdout %q, stderr %q", code, &stdout, &stderr)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestStdoutFails(t *testing.T) {
	for _, args := range [][]string{nil, {"-json"}, {"-state"}, {"-tables"}, {"-mlperf"}} {
		var stderr bytes.Buffer
		if code := run(t.Context(), args, full{}, &stderr); code != 1 ||
			!strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("%q: exit status %d, stderr %q", args, code, &stderr)
		}
	}
}

// The server is asked with the key, the header and the trust that the load programs take, and none of them is printed.
func TestAccess(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer planted-key" || r.Header.Get("X-Team") != "planted-header" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, map[string]string{"/version": `{"version": "0.14.1"}`}[r.URL.Path])
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PLANTED_KEY", "planted-key")
	var stdout, stderr bytes.Buffer
	args := []string{"-json", "-url", server.URL, "-api-key-env", "PLANTED_KEY", "-header",
		"X-Team: planted-header", "-ca-file", ca}
	if code := run(t.Context(), args, &stdout, &stderr); code != 0 {
		t.Fatalf("exit status %d: %s", code, &stderr)
	}
	var env envinfo.Environment
	if err := json.Unmarshal(stdout.Bytes(), &env); err != nil {
		t.Fatal(err)
	}
	if v, _ := env.Server.Version.Get(); v != "0.14.1" {
		t.Errorf("version is %v", env.Server.Version)
	}
	if strings.Contains(stdout.String()+stderr.String(), "planted") {
		t.Error("a secret is printed")
	}
}
