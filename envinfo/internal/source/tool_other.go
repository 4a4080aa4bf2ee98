//go:build !unix

package source

import "os/exec"

func ownGroup(*exec.Cmd) {}

// killGroup kills the process alone, where there are no process groups.
func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
