//go:build !unix

package server

import (
	"os/exec"
	"syscall"
)

// Without process groups only the command itself can be ended, not what it started.
func ownGroup(*exec.Cmd)                {}
func interruptGroup(cmd *exec.Cmd)      { _ = cmd.Process.Kill() }
func killGroup(cmd *exec.Cmd)           { _ = cmd.Process.Kill() }
func groupLives(cmd *exec.Cmd) bool     { return cmd.ProcessState == nil }
func signalProcess(int, syscall.Signal) {}
