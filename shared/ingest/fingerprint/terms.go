package fingerprint

import (
	"cmp"
	"slices"
)

const (
	// terms that a fingerprint is found by.
	terms = 64
	// shared are how many of them two tracks must have in common to be compared.
	shared = 2
)

// Terms are what the fingerprint is looked up by: the distinct items whose
// hashes are smallest. Whatever their places, two fingerprints that have many
// items in common so choose many of the same ones (Broder, "On the resemblance
// and containment of documents", 1997).
func (f Fingerprint) Terms() []int64 {
	all := make([]uint32, 0, len(f))
	for item := range f.distinct() {
		all = append(all, item)
	}
	slices.SortFunc(all, func(a, b uint32) int { return cmp.Compare(mix(a), mix(b)) })
	chosen := make([]int64, 0, terms)
	for _, item := range all[:min(terms, len(all))] {
		chosen = append(chosen, int64(item))
	}
	return chosen
}

// mix is MurmurHash3's finaliser: one to one, so no two items are equal by it.
func mix(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	x *= 0xc2b2ae35
	x ^= x >> 16
	return x
}
