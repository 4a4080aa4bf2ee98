//go:build !race

package fleet

const sideBySide = "16" // tests at a time
