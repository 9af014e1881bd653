// Package crash lets a test end a process between two steps of a write, as a
// platform may at any time: what a write path promises for such a death can
// then be shown. Without SEGUE_CRASH_AT, a point does nothing.
package crash

import (
	"fmt"
	"os"
)

// Variable names the point at which the process ends.
const Variable = "SEGUE_CRASH_AT"

// Status is what the process ends with: as if by SIGKILL.
const Status = 137

// Point ends the process at once, without any clean-up, if it is the named one.
func Point(name string) {
	if os.Getenv(Variable) == name {
		fmt.Fprintln(os.Stderr, "crash at", name)
		os.Exit(Status)
	}
}
