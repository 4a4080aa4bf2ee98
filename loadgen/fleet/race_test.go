//go:build race

package fleet

// The race detector takes several times the CPU, and beats that come late are those of workers that are missed.
const sideBySide = "6"
