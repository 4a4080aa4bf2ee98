//go:build unix

package source

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the process into a group of its own, so that its children can be killed with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the process and its children without asking: SIGTERM can be ignored, and the tools only read.
func killGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
