package envinfo

// Driver reads the version of the amdgpu kernel driver. Only the packaged (DKMS) driver has one of its own; the driver that comes
// with the kernel is named by the kernel.
func (c *Inventory) Driver(kernel Value[string]) {
	const module = "sys/module/amdgpu"
	version := c.text(module+"/version", ScopeHost)
	if _, ok := version.Get(); ok {
		c.Add("amdgpu", version)
		c.checkDKMS(version)
		return
	}
	if err := c.stat(module + "/version"); !missing(err) { // there, and unreadable or empty: it has a version that we do not know
		c.Add("amdgpu", version)
		return
	}
	if err := c.stat(module); err != nil {
		c.Add("amdgpu", Unknown[string]("", ScopeHost, err.Error()+": the driver is not loaded, or is hidden"))
		return
	}
	release, ok := kernel.Get()
	if !ok {
		c.Add("amdgpu", Unknown[string]("", ScopeHost, "in-tree, of an unknown kernel: "+kernel.Reason()))
		return
	}
	v := Known("in-tree, kernel "+release, "", ScopeHost, abs(module)+" has no version; "+kernel.Source())
	c.Add("amdgpu", v)
	c.checkDKMS(v)
}

// checkDKMS warns where a packaged driver is installed and another one is loaded, as between an installation and the next boot. In a
// container the packages are not those of the host, and say nothing of its driver.
func (c *Inventory) checkDKMS(loaded Value[string]) {
	if c.userland != ScopeHost {
		return
	}
	if p := c.packageVersion("amdgpu-dkms"); p.Source() != "" {
		c.disagree("the amdgpu driver", loaded, p)
	}
}
