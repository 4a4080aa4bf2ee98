package design

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/strictjson"
	"github.com/servegauge/servegauge/protocol"
)

// kinds are the designs that there are, by the name of their kind in JSON.
var kinds = map[string]func(text []byte) (protocol.Planned, error){
	"adaptive": func(text []byte) (protocol.Planned, error) {
		var d struct {
			kind
			adaptiveJSON
		}
		err := strictjson.Unmarshal(text, &d)
		return AdaptiveSweep(d.adaptiveJSON), err
	},
	"ablation": func(text []byte) (protocol.Planned, error) {
		var d struct {
			kind
			ablationJSON
		}
		err := strictjson.Unmarshal(text, &d)
		return Ablation(d.ablationJSON), err
	},
	"slo": func(text []byte) (protocol.Planned, error) {
		var d struct {
			kind
			sloJSON
		}
		err := strictjson.Unmarshal(text, &d)
		return SLO(d.sloJSON), err
	},
	"until-precise": func(text []byte) (protocol.Planned, error) {
		var d struct {
			kind
			preciseJSON
		}
		err := strictjson.Unmarshal(text, &d)
		return UntilPrecise(d.preciseJSON), err
	},
	"grid": func(text []byte) (protocol.Planned, error) {
		var d struct {
			kind
			gridJSON
		}
		err := strictjson.Unmarshal(text, &d)
		return Grid(d.gridJSON), err
	},
}

// mostDesign bounds, in bytes, a design that is read.
const mostDesign = 1 << 20

type kind struct {
	Design string `json:"design"`
}

// Read reads a design as an experiment keeps it ([protocol.PlanFile]), or as a person writes it: one of this package,
// by its member "design", or a [protocol.Plan], which has none.
//
//	{"design": "adaptive", "plan": {"name": "mine", "runs": 5, "restart": true, "input_tokens": 64, …}}
//
// Errors are as of [protocol.ReadPlan]; that there is no such kind of design is one.
func Read(r io.Reader) (protocol.Planned, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostDesign+1))
	if err != nil {
		return nil, fmt.Errorf("design: %w", err)
	}
	if len(text) > mostDesign {
		return nil, fmt.Errorf("design: it is longer than %d MiB", mostDesign>>20)
	}
	var k kind
	_ = json.Unmarshal(text, &k) // what is wrong with it is said below, with its place
	if k.Design == "" {
		return protocol.ReadPlan(strings.NewReader(string(text)))
	}
	reader := kinds[k.Design]
	if reader == nil {
		return nil, invalid("design", fmt.Sprintf("%q", k.Design),
			"one of "+strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")+"; none: a plan")
	}
	d, err := reader(text)
	if err == nil {
		_, err = d.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("design: %w", err)
	}
	return d, nil
}
