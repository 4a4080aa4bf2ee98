package host

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/internal/secret"
)

// Frequency is how the processors choose their clock. Virtual machines mostly have none of it: the host under them
// decides. Where the processors do not all say the same, the value lists what how many of them say: "190x performance,
// 2x powersave".
type Frequency struct {
	Governor         fact.Value[string] `json:"governor"`          // "performance", "schedutil"
	Driver           fact.Value[string] `json:"driver"`            // "amd-pstate-epp", "acpi-cpufreq"
	EnergyPreference fact.Value[string] `json:"energy_preference"` // "performance", "balance_performance"
	// kHz, the highest that the hardware offers on any processor
	Max   fact.Value[int64] `json:"max"`
	Boost fact.Value[bool]  `json:"boost"` // whether clocks above the nominal one are allowed
}

// Tuning is how the kernel and the firmware are set, as far as it moves measurements.
type Tuning struct {
	HugePages       fact.Value[string] `json:"transparent_hugepages"`        // "always", "madvise", "never"
	HugePagesDefrag fact.Value[string] `json:"transparent_hugepages_defrag"` // "madvise", "defer", …
	ClockSource     fact.Value[string] `json:"clock_source"`                 // "tsc"; others make reading the time slow
	// IOMMUs is how many the kernel uses, and IOMMUDomains what kinds of domains the devices are in: "identity" is
	// without translation (iommu=pt).
	IOMMUs       fact.Value[int64]  `json:"iommus"`
	IOMMUDomains fact.Value[string] `json:"iommu_domains"`
	// Vulnerabilities are the processor's flaws that the kernel knows, with what it does against each, which costs
	// time.
	Vulnerabilities []Vulnerability `json:"vulnerabilities,omitempty"`
	// Mitigated, Vulnerable and NotAffected count them, and are unknown where none could be listed.
	Mitigated   fact.Value[int64] `json:"mitigated"`
	Vulnerable  fact.Value[int64] `json:"vulnerable"`
	NotAffected fact.Value[int64] `json:"not_affected"`
}

// Vulnerability is one flaw of the processors and its state.
type Vulnerability struct {
	Name  string             `json:"name"`  // the kernel's: "spectre_v2"
	State fact.Value[string] `json:"state"` // "Not affected", "Mitigation: …", "Vulnerable: …"
}

// frequency reads Documentation/admin-guide/pm/cpufreq.rst: a folder for each policy, which is one processor or several
// that share a clock.
func (c *capture) frequency() {
	f := &c.out.Frequency
	const dir = cpuDir + "/cpufreq"
	var governor, driver, preference tally
	names, err := c.Dir(dir)
	none := source.Abs(dir) + ": no policy, the kernel does not set the clock"
	if err != nil {
		none = err.Error()
	}
	fastest := fact.Unknown[int64]("kHz", fact.ScopeHost, none)
	policies := source.Numbered(names, "policy")
	for i, n := range policies {
		policy := fmt.Sprintf("%s/policy%d/", dir, n)
		governor.add(c.Text(policy+"scaling_governor", fact.ScopeHost))
		if i == 0 { // the kernel takes one driver at a time
			driver.add(c.Text(policy+"scaling_driver", fact.ScopeHost))
		}
		preference.add(c.Text(policy+"energy_performance_preference", fact.ScopeHost))
		// Cores differ where the firmware ranks them. One that cannot be read may be the fastest.
		clock := c.Integer(policy+"cpuinfo_max_freq", "kHz", fact.ScopeHost)
		kHz, ok := clock.Get()
		if best, known := fastest.Get(); i == 0 || known && (!ok || kHz > best) {
			fastest = clock
		}
	}
	f.Governor, f.Driver, f.EnergyPreference = governor.value(none), driver.value(none), preference.value(none)
	f.Max = fastest
	if kHz, ok := fastest.Get(); ok {
		f.Max = fact.Unknown[int64]("kHz", fact.ScopeHost, fmt.Sprintf("%s: %d is not a clock", fastest.Source(), kHz))
		if kHz > 0 {
			f.Max = fact.Known(kHz, "kHz", fact.ScopeHost,
				fmt.Sprintf("%s, the greatest of %d", fastest.Source(), len(policies)))
		}
	}
	f.Boost = c.Flag(dir+"/boost", fact.ScopeHost)
	if _, ok := f.Boost.Get(); !ok {
		const noTurbo = cpuDir + "/intel_pstate/no_turbo" // which is the contrary
		turbo := c.Flag(noTurbo, fact.ScopeHost)
		if off, ok := turbo.Get(); ok {
			f.Boost = fact.Known(!off, "", fact.ScopeHost, source.Abs(noTurbo)+", negated")
		} else {
			f.Boost = fact.Unknown[bool]("", fact.ScopeHost, fact.JoinReasons(f.Boost.Reason(), turbo.Reason()))
		}
	}
}

func (c *capture) tuning() Tuning {
	const huge = "sys/kernel/mm/transparent_hugepage/"
	t := Tuning{
		HugePages:       c.Chosen(huge+"enabled", fact.ScopeHost),
		HugePagesDefrag: c.Chosen(huge+"defrag", fact.ScopeHost),
		ClockSource:     c.Text("sys/devices/system/clocksource/clocksource0/current_clocksource", fact.ScopeHost),
	}
	c.iommu(&t)
	c.vulnerabilities(&t)
	return t
}

// iommu counts the units (Documentation/ABI/testing/sysfs-class-iommu) and the kinds of domains of their groups
// (…-iommu_groups).
func (c *capture) iommu(t *Tuning) {
	const class, groups = "sys/class/iommu", "sys/kernel/iommu_groups"
	names, err := c.Dir(class)
	t.IOMMUs = fact.Known(int64(len(names)), "", fact.ScopeHost, source.Abs(class))
	if err != nil {
		t.IOMMUs = fact.Unknown[int64]("", fact.ScopeHost, err.Error())
	}
	names, err = c.Dir(groups)
	if err != nil {
		t.IOMMUDomains = fact.Unknown[string]("", fact.ScopeHost, err.Error())
		return
	}
	var kinds tally
	for _, n := range source.Numbered(names, "") {
		kinds.add(c.Text(fmt.Sprintf("%s/%d/type", groups, n), fact.ScopeHost))
	}
	t.IOMMUDomains = kinds.value(source.Abs(groups) + ": no group")
}

func (c *capture) vulnerabilities(t *Tuning) {
	const dir = cpuDir + "/vulnerabilities"
	names, err := c.Dir(dir)
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s: empty", source.Abs(dir))
	}
	if err != nil {
		t.Mitigated = fact.Unknown[int64]("", fact.ScopeHost, err.Error())
		t.Vulnerable, t.NotAffected = t.Mitigated, t.Mitigated
		return
	}
	var mitigated, vulnerable, notAffected, rest int64
	for _, name := range names {
		v := Vulnerability{fact.Clip(name), c.Text(dir+"/"+name, fact.ScopeHost)}
		t.Vulnerabilities = append(t.Vulnerabilities, v)
		state, _ := v.State.Get()
		switch { // "KVM: " is before the state of what concerns only guests
		case state == "Not affected":
			notAffected++
		case strings.HasPrefix(state, "Mitigation: "), strings.HasPrefix(state, "KVM: Mitigation: "):
			mitigated++
		case strings.HasPrefix(state, "Vulnerable"),
			strings.HasPrefix(state, "KVM: Vulnerable"),
			state == "Processor vulnerable":
			vulnerable++
		default:
			rest++
		}
	}
	source := "counted in " + source.Abs(dir)
	if rest > 0 {
		source += fmt.Sprintf(", which has %d of another state", rest)
	}
	t.Mitigated, t.Vulnerable = fact.Known(mitigated, "", fact.ScopeHost, source), fact.Known(vulnerable, "",
		fact.ScopeHost, source)
	t.NotAffected = fact.Known(notAffected, "", fact.ScopeHost, source)
}

var (
	// addressOptions name the machine, its neighbours or its disks in the network, and have no part in performance.
	addressOptions = []string{
		"ip",
		"bootif",
		"bootdev",
		"ifname",
		"nameserver",
		"nfsroot",
		"nfsaddrs",
		"netroot",
		"hostname",
		"systemd.hostname",
		"systemd.machine_id",
		"ds",
		"dns",
		"gateway",
		"mac",
	}
)

// scrubOptions withholds the values of kernel options that may be secrets or addresses: by the name of the option,
// whatever looks like a URL with user and password, and whatever looks like a token.
func scrubOptions(line string) string {
	options := splitOptions(line)
	for i, option := range options {
		name, value, ok := strings.Cut(strings.Trim(option, `"`), "=")
		lower := strings.ToLower(name)
		switch {
		case secretShape(option):
			options[i] = secret.Withheld
			if ok && !secretShape(name) {
				options[i] = name + "=" + secret.Withheld
			}
		case ok && value != "" && (secret.Named(lower, value) || isAddress(lower)):
			options[i] = name + "=" + secret.Withheld
		}
	}
	return strings.Join(options, " ")
}

func isAddress(name string) bool {
	for _, a := range addressOptions {
		if name == a || strings.HasPrefix(name, "rd."+a) || strings.HasPrefix(name, "rd.iscsi") {
			return true
		}
	}
	return false
}

// secretShape tells whether there is in s what secret.Shapes knows, a parameter of a URL or of a quoted list whose name
// tells of a secret, or a run of hexadecimal digits as long as a key.
func secretShape(s string) bool {
	if secret.Shapes(s) != s {
		return true
	}
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(`=:;,&? /"'`, r) }) {
		if _, err := hex.DecodeString(part); err == nil && len(part) >= 32 {
			return true
		}
	}
	_, value, _ := strings.Cut(s, "=")
	for part := range strings.FieldsFuncSeq(strings.ToLower(value),
		func(r rune) bool { return strings.ContainsRune(`;,&? "'`, r) }) {
		if name, _, ok := strings.Cut(part, "="); ok && secret.Name(name) {
			return true
		}
	}
	return false
}

// splitOptions splits a kernel command line at white space outside of double quotes, as the kernel does.
func splitOptions(line string) []string {
	quoted := false
	return strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t' || r == '\n' || r == '\r')
	})
}
