//go:build race

package e2e

// buildFlags build with what the tests were built with: nothing is compiled twice.
var buildFlags = []string{"-race"}
