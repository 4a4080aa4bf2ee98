// Package report prints an experiment in the forms that people read.
package report
