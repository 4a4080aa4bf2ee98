package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"regexp"
	"strings"
	"text/template"
	"time"

	"github.com/servegauge/servegauge/examples/internal/program"
	"github.com/servegauge/servegauge/loadgen/fleet"
	"github.com/servegauge/servegauge/protocol"
)

//go:embed manifest.yaml.tmpl
var manifestText string

var manifestTemplate = template.Must(template.New("manifest").Funcs(template.FuncMap{
	"json": func(s string) (string, error) {
		text, err := json.Marshal(s) // a JSON string is a YAML string
		return string(text), err
	},
}).Parse(manifestText))

// deployment is what a manifest is made of. All of it is checked before, so that nothing in it ends a line or a value.
type deployment struct {
	Workers                 int
	Name, Namespace         string
	Image, NATSImage        string
	Allow                   servers
	ServerLabel             string
	ServerValue             string
	APIKeySecret, APIKeyKey string
	CPU, Memory             string
	Lifetime                time.Duration
}

// NATS is the server's name in the cluster.
func (d *deployment) NATS() string { return d.Name + "-nats." + d.Namespace + ".svc" }

// Seconds is for how long the workers are there at most.
func (d *deployment) Seconds() int { return int(math.Ceil(d.Lifetime.Seconds())) }

var (
	labelValue = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	labelName  = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?` +
		`[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	dnsLabel   = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$`)
	secretName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	secretKey  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)
	image      = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,500}$`)
	quantity   = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$`)
)

func (d *deployment) validate() error {
	for _, c := range []struct {
		flag, value string
		is          *regexp.Regexp
		want        string
	}{
		{"name", d.Name, dnsLabel, "at most 40 of a to z, 0 to 9 and -"},
		{"namespace", d.Namespace, dnsLabel, "the name of a namespace"},
		{"image", d.Image, image, "the name of an image"},
		{"nats-image", d.NATSImage, image, "the name of an image"},
		{"server-label", d.ServerLabel, labelName, "NAME=VALUE, a label of the pods of the servers"},
		{"server-label", d.ServerValue, labelValue, "NAME=VALUE, a label of the pods of the servers"},
		{"cpu", d.CPU, quantity, "a quantity such as 2 or 500m"},
		{"memory", d.Memory, quantity, "a quantity such as 1Gi"},
	} {
		if !c.is.MatchString(c.value) {
			return program.Usagef("-%s %q: want %s", c.flag, c.value, c.want)
		}
	}
	if d.APIKeySecret != "" && (!secretName.MatchString(d.APIKeySecret) || !secretKey.MatchString(d.APIKeyKey)) {
		return program.Usagef("-api-key-secret %q: want NAME/KEY, a secret and where in it the key is",
			d.APIKeySecret+"/"+d.APIKeyKey)
	}
	if d.Workers < 1 || d.Workers > fleet.MostWorkers {
		return program.Usagef("-workers %d: want a number from 1 to 1,024", d.Workers)
	}
	if d.Lifetime < time.Second || d.Lifetime > 365*24*time.Hour {
		return program.Usagef("-lifetime %v: want a time from 1s to a year", d.Lifetime)
	}
	if len(d.Allow) == 0 {
		return program.Usagef("-allow: want the URL of a server that the workers may load")
	}
	for _, allowed := range d.Allow {
		u, err := url.Parse(allowed)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
			strings.ContainsFunc(allowed, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '$' }) {
			return program.Usagef("-allow %q: want the http:// or https:// URL of a server, without a user", allowed)
		}
	}
	return nil
}

// perRequest is the memory that a request in flight takes of a worker, at most as far as was seen, and the least that
// one has: for the program, the results, and prompts.
const (
	perRequest  = 256 << 10
	leastMemory = 512 << 20
)

// fit has the deployment suit a plan: memory for its greatest concurrency, and time for its budget.
func (d *deployment) fit(plan *protocol.Plan, given func(string) bool) (warnings []string) {
	most, least := 0, math.MaxInt
	for _, level := range plan.Levels {
		most, least = max(most, level), min(least, level)
	}
	if !given("memory") {
		each := (most + d.Workers - 1) / d.Workers
		d.Memory = fmt.Sprintf("%dMi", (leastMemory+each*perRequest)>>20)
	}
	if !given("lifetime") && plan.Budget > 0 {
		d.Lifetime = 2 * plan.Budget
	}
	if least < d.Workers {
		warnings = append(warnings, fmt.Sprintf("the plan has a level of %d in flight: at those below %d not all "+
			"workers "+
			"take part",
			least, d.Workers))
	}
	return warnings
}

func (d *deployment) write(w io.Writer) error { return manifestTemplate.Execute(w, d) }

func manifest(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
	d := &deployment{}
	flags.IntVar(&d.Workers, "workers", 0, "how many `workers`")
	flags.StringVar(&d.Name, "name", "servegauge-fleet", "`name` of what is made in the cluster")
	flags.StringVar(&d.Namespace, "namespace", "default", "`namespace` of the cluster")
	flags.StringVar(&d.Image, "image", "servegauge-fleet:latest",
		"`image` of the workers, as examples/fleet/Dockerfile "+
			"makes it")
	flags.StringVar(&d.NATSImage, "nats-image", "nats:2.15-alpine", "`image` of the NATS server")
	flags.Var(&d.Allow, "allow", "`URL` of a server that the workers may load; several with commas between them")
	label := flags.String("server-label", "", "`NAME=VALUE` of a label that the servers' pods have, from whose nodes "+
		"the workers keep away")
	key := flags.String("api-key-secret", "", "`NAME/KEY` of the secret that has the server's API key; none: it needs "+
		"none")
	flags.StringVar(&d.CPU, "cpu", "2", "CPUs that each worker `requests`")
	flags.StringVar(&d.Memory, "memory", "1Gi", "`memory` of each worker; with -plan not given: by its greatest "+
		"concurrency")
	flags.DurationVar(&d.Lifetime, "lifetime", 24*time.Hour, "`time` after which the workers end by themselves; with "+
		"-plan not given: twice its budget, where it has one")
	planFile := flags.String("plan", "", "`FILE` with the plan that is to be measured, as -out has it")
	return func(context.Context, <-chan struct{}) error {
		d.ServerLabel, d.ServerValue, _ = strings.Cut(*label, "=")
		d.APIKeySecret, d.APIKeyKey, _ = strings.Cut(*key, "/")
		if *planFile != "" {
			file, err := os.Open(*planFile)
			if err != nil {
				return &program.UsageError{Err: err}
			}
			defer file.Close()
			plan, err := protocol.ReadPlan(file)
			if err != nil {
				return program.Usagef("-plan %s: %v", *planFile, err)
			}
			given := map[string]bool{}
			flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
			if d.Workers > 0 {
				for _, w := range d.fit(&plan, func(name string) bool { return given[name] }) {
					fmt.Fprintln(os.Stderr, "warning:", w)
				}
			}
		}
		if err := d.validate(); err != nil {
			return err
		}
		return d.write(os.Stdout)
	}
}
