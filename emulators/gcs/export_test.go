package gcs

import "time"

// SetPatience changes how long a request waits for one that stalls.
func SetPatience(e *Emulator, d time.Duration) { e.sessions.patience = d }
