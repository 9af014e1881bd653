//go:build !linux

package ffmpeg

import "os"

const enforced = false

// apply does nothing: other systems cannot limit a process from outside. The
// time limit holds; the functions run on Linux.
func (limits) apply(int) error { return nil }

func overran(*os.ProcessState) bool { return false }
