// Package procstat is what the operating system says of this very process: the CPU time that it has used, the CPUs that
// its cgroup lets it use, and its file descriptors. What cannot be known is said to be unknown, and is never 0.
//
// Package envinfo reads the quota as well, for the record of what machine it was. This package is apart from it because
// the instrument knows no environments, and needs of each cgroup also how often it has held the process back.
package procstat
