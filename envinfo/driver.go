package envinfo

// driver reads the version of the amdgpu kernel driver. Only the packaged (DKMS) driver has one of its own; the driver that comes
// with the kernel is named by the kernel.
func (c *capture) driver() {
	const module = "sys/module/amdgpu"
	version := c.text(module+"/version", ScopeHost)
	if _, ok := version.Get(); ok {
		c.add("amdgpu", version)
		c.checkDKMS(version)
		return
	}
	if err := c.stat(module + "/version"); !missing(err) { // there, and unreadable or empty: it has a version that we do not know
		c.add("amdgpu", version)
		return
	}
	if err := c.stat(module); err != nil {
		c.add("amdgpu", Unknown[string]("", ScopeHost, err.Error()+": the driver is not loaded, or is hidden"))
		return
	}
	kernel, ok := c.env.Host.Kernel.Get()
	if !ok {
		c.add("amdgpu", Unknown[string]("", ScopeHost, "in-tree, of an unknown kernel: "+c.env.Host.Kernel.Reason()))
		return
	}
	v := Known("in-tree, kernel "+kernel, "", ScopeHost, abs(module)+" has no version; "+c.env.Host.Kernel.Source())
	c.add("amdgpu", v)
	c.checkDKMS(v)
}

// checkDKMS warns where a packaged driver is installed and another one is loaded, as between an installation and the next boot. In a
// container the packages are not those of the host, and say nothing of its driver.
func (c *capture) checkDKMS(loaded Value[string]) {
	if c.userland != ScopeHost {
		return
	}
	if p := c.packageVersion("amdgpu-dkms"); p.Source() != "" {
		c.disagree("the amdgpu driver", loaded, p)
	}
}
