package software

import (
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// Driver reads the version of the amdgpu kernel driver. Only the packaged (DKMS) driver has one of its own; the driver
// that comes with the kernel is named by the kernel.
func (c *Inventory) Driver(kernel fact.Value[string]) {
	const module = "sys/module/amdgpu"
	version := c.Text(module+"/version", fact.ScopeHost)
	if _, ok := version.Get(); ok {
		c.Add("amdgpu", version)
		c.checkDKMS(version)
		return
	}
	// there, and unreadable or empty: it has a version that we do not know
	if err := c.Stat(module + "/version"); !source.Missing(err) {
		c.Add("amdgpu", version)
		return
	}
	if err := c.Stat(module); err != nil {
		c.Add("amdgpu",
			fact.Unknown[string]("", fact.ScopeHost, err.Error()+": the driver is not loaded, or is hidden"))
		return
	}
	release, ok := kernel.Get()
	if !ok {
		c.Add("amdgpu", fact.Unknown[string]("", fact.ScopeHost, "in-tree, of an unknown kernel: "+kernel.Reason()))
		return
	}
	v := fact.Known("in-tree, kernel "+release, "", fact.ScopeHost,
		source.Abs(module)+" has no version; "+kernel.Source())
	c.Add("amdgpu", v)
	c.checkDKMS(v)
}

// checkDKMS warns where a packaged driver is installed and another one is loaded, as between an installation and the
// next boot. In a container the packages are not those of the host, and say nothing of its driver.
func (c *Inventory) checkDKMS(loaded fact.Value[string]) {
	if c.userland != fact.ScopeHost {
		return
	}
	if p := c.packageVersion("amdgpu-dkms"); p.Source() != "" {
		c.disagree("the amdgpu driver", loaded, p)
	}
}
