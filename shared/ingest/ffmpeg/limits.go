package ffmpeg

import (
	"os"
	"strings"
	"time"
)

// limits are what one run may take of the machine. They are below what the
// function has, so that a file which wants more is refused by name instead of
// ending the instance.
type limits struct {
	wall   time.Duration // as the caller sees it
	cpu    time.Duration // of all its threads
	memory uint64        // bytes of address space
	output uint64        // bytes of a file that it writes
}

// TimeLimit is how long one run may take. It leaves a function of 540 s the time
// to record what happened.
const TimeLimit = 500 * time.Second

// A function has 540 s, two CPUs, and 8 GiB in which its files lie too. The
// slowest encoding of two hours of audio takes less than half of the time.
func standard() limits {
	return limits{wall: TimeLimit, cpu: 480 * time.Second, memory: 4 << 30, output: 2 << 30}
}

// exceeded says which limit a run that failed came up against, or "". Each is the
// file's doing: there is as much the next time, and it would want more again.
func (l limits) exceeded(state *os.ProcessState, messages string) string {
	const memory, output = "it takes more memory than there is for a file", "what it decodes to is larger than there is room for a file"
	switch {
	case !enforced:
	case l.computed(state):
		return "it takes more than " + l.cpu.String() + " of computing"
	case overran(state):
		return output
	case !verdict(state): // a signal's end, whatever was said before it
	case strings.Contains(messages, "Cannot allocate memory") || strings.Contains(messages, "get_buffer() failed"):
		return memory
	case strings.Contains(messages, "File too large"):
		return output
	}
	return ""
}

// computed says whether the process was ended for its computing. The kernel counts
// that by ticks, and the sum is less: by a little, or by a good part of a second
// where a machine is shared. So one that a signal ended needs no more than half.
func (l limits) computed(state *os.ProcessState) bool {
	used := state.UserTime() + state.SystemTime()
	return used >= l.cpu*9/10 || (state.ExitCode() == interrupted && used >= l.cpu/2)
}

// interrupted is what ffmpeg exits with when a signal asked it to stop.
const interrupted = 255

// verdict says whether the program ended by its own decision.
func verdict(state *os.ProcessState) bool {
	return state.ExitCode() > 0 && state.ExitCode() != interrupted
}
