package probe_test

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/probe"
)

// sysfs is a host with GPUs whose power changes with the time.
type sysfs struct {
	cards int
	begin time.Time
	power func(card int, t float64) float64 // W; NaN: the file is not there
}

func (s sysfs) Open(name string) (fs.File, error) {
	tree := fstest.MapFS{}
	t := time.Since(s.begin).Seconds()
	for card := range s.cards {
		device := fmt.Sprintf("sys/class/drm/renderD%d/device/", 128+card)
		put := func(file, text string) { tree[device+file] = &fstest.MapFile{Data: []byte(text + "\n")} }
		put("vendor", "0x1002")
		put("device", "0x74a5")
		put("uevent", fmt.Sprintf("PCI_SLOT_NAME=0000:0%d:00.0", card))
		put("gpu_busy_percent", "50")
		put("hwmon/hwmon0/name", "amdgpu")
		if w := s.power(card, t); !math.IsNaN(w) {
			put("hwmon/hwmon0/power1_input", fmt.Sprint(int64(w*1e6)))
		}
	}
	return tree.Open(name)
}

// watch has a probe watch for so long, from half a second before the level to half a second after it.
func watch(t *testing.T, s sysfs, d time.Duration) protocol.Reading {
	t.Helper()
	stop, err := probe.GPUs{Every: 100 * time.Millisecond,
		Options: envinfo.Options{FS: s}}.Watch(context.Background(), nil, protocol.Step{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(d)
	r, err := stop()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The area under the power that was watched is the energy that the power makes.
func TestEnergyOfChangingPower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := sysfs{cards: 2, begin: begin, power: func(card int, t float64) float64 {
			return float64(300+100*card) + 50*math.Sin(t)
		}}
		r := watch(t, s, 20*time.Second)
		from, to := begin.Add(3*time.Second), begin.Add(17*time.Second)
		found := 0
		for _, series := range r.Series {
			if series.Name != protocol.PowerSeries || series.Of == "" {
				continue
			}
			card := 0
			if strings.HasPrefix(series.Of, "0000:01") {
				card = 1
			}
			found++
			got, err := series.Integral(from, to)
			want := float64(300+100*card)*14 + 50*(math.Cos(3)-math.Cos(17))
			if err != nil || math.Abs(got/want-1) > .001 {
				t.Errorf("card %d: %v J, %v; want %v", card, got, err, want)
			}
		}
		if found != 2 {
			t.Errorf("%d cards: %+v", found, r.Series)
		}
		for _, f := range r.Figures {
			if f.Name == "gpu_power_mean" && math.Abs(f.Value/700-1) > .02 || f.Name == "gpu_busy_mean" &&
				f.Value != 50 {
				t.Errorf("%+v", f)
			}
		}
		if len(r.Figures) < 4 || r.Error != "" {
			t.Errorf("%+v, %q", r.Figures, r.Error)
		}
	})
}

// A card whose power cannot be read for a while has no energy over that time.
func TestEnergyWithMissingSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := sysfs{cards: 2, begin: begin, power: func(card int, t float64) float64 {
			if card == 1 && t > 5 && t < 7 {
				return math.NaN()
			}
			return 300
		}}
		r := watch(t, s, 10*time.Second)
		wrong := 0
		for _, series := range r.Series {
			if series.Name != protocol.PowerSeries || series.Of == "" {
				continue
			}
			if _, err := series.Integral(begin.Add(time.Second), begin.Add(9*time.Second)); err != nil {
				wrong++
			}
		}
		if wrong != 1 {
			t.Errorf("%d cards without an energy, want 1", wrong)
		}
	})
}

func TestNoGPU(t *testing.T) {
	if _, err := (probe.GPUs{Options: envinfo.Options{FS: fstest.MapFS{}}}).Watch(context.Background(), nil,
		protocol.Step{}); err == nil {
		t.Error("no error")
	}
}
