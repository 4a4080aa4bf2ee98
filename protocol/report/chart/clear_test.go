package chart

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/recorder"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/stats"
)

// twoArms is an ablation in five blocks, b a tenth faster, more or less.
func twoArms() (*protocol.Experiment, design.Ablation) {
	both := &protocol.Experiment{Complete: true}
	for _, arm := range []string{design.ArmA, design.ArmB} {
		for i, m := range experiment(5, []int{4, 16}, 1000, 20).Measurements {
			m.Step.Arm, m.Instance = arm, fmt.Sprint(arm, m.Instance)
			if arm == design.ArmB {
				for j := range m.Result.Figures {
					m.Result.Figures[j].Value *= 1.1 + 0.004*float64(i%3)
				}
			}
			both.Measurements = append(both.Measurements, m)
		}
	}
	return both, design.Ablation{Margin: 0.07, Plan: protocol.Plan{Runs: 5, Restart: true, Input: 256, Output: 64,
		Levels: []int{4, 16}, Prompts: protocol.Prompts{Count: 20}}}
}

// The picture of an ablation shows what its design found, and by its margin: blocks in pairs, and not two samples.
func TestEffectIsWhatTheDesignFound(t *testing.T) {
	e, d := twoArms()
	a := protocol.Conclude(e, d)
	c := named(t, Draw(e, a), "effect")
	points := c.panels[0].curves[0].points
	if len(a.Findings) != 2 || len(points) != 2 || math.Abs(c.panels[0].margin-7) > 1e-9 ||
		!strings.Contains(c.below(), "± 7 %") || !strings.Contains(c.below(), "paired") {
		t.Fatalf("%d findings, %d points, margin %v: %s", len(a.Findings), len(points), c.panels[0].margin, c.below())
	}
	for i, q := range points {
		var v stats.Verdict
		if err := json.Unmarshal(a.Findings[i].Detail, &v); err != nil {
			t.Fatal(err)
		}
		for _, x := range [][2]float64{{q.y, v.Ratio.Estimate}, {q.low, v.Ratio.Low}, {q.high, v.Ratio.High}} {
			if math.Abs(x[0]/100+1-x[1]) > 1e-9 {
				t.Errorf("the picture has %v %%, and the finding is %s", x[0], a.Findings[i].Answer)
			}
		}
	}
}

// Where a quantity is zero all the time, its axis is of whole numbers and not of rounding.
func TestAxisOfZeros(t *testing.T) {
	var points []point
	for i := range 9 {
		points = append(points, point{x: float64(i), low: math.NaN(), high: math.NaN()})
	}
	for _, flat := range []bool{false, true} {
		p := panel{y: "waiting", curves: []curve{{bare: true, points: points}}, flat: flat}
		out := p.plotOf(form{}, new([]hit))
		if out.Y.Min != 0 || out.Y.Max < 0.5 || out.Y.Max > 2 {
			t.Errorf("from %v to %v", out.Y.Min, out.Y.Max)
		}
		for _, tick := range out.Y.Tick.Marker.Ticks(out.Y.Min, out.Y.Max) {
			if len(tick.Label) > 3 {
				t.Errorf("it is labelled %q", tick.Label)
			}
		}
	}
}

// Marks of curves at one load are beside each other, and nearer to their own load than to the next.
func TestCurvesAreApart(t *testing.T) {
	for _, levels := range [][]int{{1, 4, 16, 64}, {8, 10, 12, 14, 16, 18, 20, 24}, {5}} {
		for _, c := range drawAll(experiment(3, levels, 1000, 40)) {
			p := c.panels[0]
			if !p.apart || len(p.curves) < 2 {
				continue
			}
			for _, f := range []form{{}, {narrow: true}, {scale: "log"}} {
				out := p.plotOf(f, new([]hit))
				var all []*drawn
				for _, k := range p.curves {
					all = append(all, &drawn{curve: k})
				}
				p.spread(out, f, all)
				at := map[float64]bool{}
				for _, k := range p.curves {
					for _, q := range k.points {
						at[out.X.Norm(q.x)*f.width()] = true
					}
				}
				least := math.Inf(1)
				for x := range at {
					for y := range at {
						if d := math.Abs(x - y); d > 1e-6 {
							least = min(least, d)
						}
					}
				}
				for i := 1; i < len(all); i++ {
					if !(all[i].aside > all[i-1].aside) {
						t.Errorf("%s of levels %v: curves at %v and %v", c.Name, levels, all[i-1].aside, all[i].aside)
					}
				}
				if reach := float64(all[len(all)-1].aside); reach > least/2 {
					t.Errorf("%s of levels %v: a mark is %v from its load, and the next is %v away", c.Name, levels,
						reach, least)
				}
			}
		}
	}
}

// Labels of points that lie close are not written over each other.
func TestLabelsAreApart(t *testing.T) {
	var points []point
	for i := range 4 {
		points = append(points, point{x: 500 + float64(i), y: 1000 + float64(i), low: math.NaN(), high: math.NaN(),
			label: fmt.Sprint(16 << i)})
	}
	p := panel{x: "x", near: true, curves: []curve{{loose: true, points: points}}}
	c := &Chart{Title: "t", panels: []panel{p}}
	recorded := new(recorder.Canvas)
	c.paint(sized{recorded}, form{})
	var boxes []vg.Rectangle
	for _, a := range recorded.Actions {
		text, ok := a.(*recorder.FillString)
		if !ok || !strings.Contains(" 16 32 64 128 ", " "+text.String+" ") {
			continue
		}
		to := vg.Point{X: text.Point.X + words(small, muted).Width(text.String), Y: text.Point.Y + 9}
		box := vg.Rectangle{Min: text.Point, Max: to}
		for _, other := range boxes {
			if meet(box, other) {
				t.Errorf("%s is written over another label", text.String)
			}
		}
		boxes = append(boxes, box)
	}
	if len(boxes) != 4 {
		t.Errorf("%d labels", len(boxes))
	}
}

// sized is a canvas of a size.
type sized struct{ *recorder.Canvas }

func (sized) Size() (x, y vg.Length) { return 720, 400 }

// One level of one run is no chart over the load; what happened within it is one.
func TestChartsOfOneLevel(t *testing.T) {
	var names []string
	for _, c := range drawAll(experiment(1, []int{16}, 1000, 40)) {
		names = append(names, c.Name)
		if strings.HasPrefix(c.Name, "latency") || c.Name == "throughput" || c.Name == "frontier" {
			t.Errorf("there is a chart %s", c.Name)
		}
	}
	if all := strings.Join(names, " "); !strings.Contains(all, "ecdf-"+loadgen.TTFT) ||
		!strings.Contains(all, "course") {
		t.Errorf("charts: %s", all)
	}
}

// The charts of a client check are its own, whoever draws them.
func TestChartsOfAClientCheck(t *testing.T) {
	e := experiment(1, []int{1, 4, 16}, 1000, 40)
	e.Design, _ = json.Marshal(protocol.ClientValidation())
	if named(t, drawAll(e), "client-throughput"); len(drawAll(e)) != 2 {
		t.Errorf("%d charts", len(drawAll(e)))
	}
}
