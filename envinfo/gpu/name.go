package gpu

//go:generate sh -c "go run pciids.go /usr/share/misc/pci.ids > names.go"

// Name is the name of an accelerator in the public list of PCI ids, by vendor and device: "10de:2330" is "H100 SXM5
// 80GB". It is what is left where neither the driver nor a tool says more.
func Name(id string) (name string, ok bool) {
	name, ok = names[id]
	return name, ok
}
