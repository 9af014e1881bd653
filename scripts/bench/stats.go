package main

import "slices"

// median of an even number of values is between the two in the middle; of none
// it is 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	m := len(s) / 2
	if len(s)%2 == 1 {
		return s[m]
	}
	return (s[m-1] + s[m]) / 2
}

// over is by how many percent ours exceeds theirs.
func over(ours, theirs float64) float64 { return (ours/theirs - 1) * 100 }
