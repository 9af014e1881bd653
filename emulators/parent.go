package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// watchParent ends the harness when the go command that runs it is ended: go
// run hands Ctrl-C on, but not SIGTERM, and would leave us behind.
func watchParent(cancel context.CancelFunc) {
	parent := os.Getppid()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parent))
	if err != nil || strings.TrimSpace(string(name)) != "go" {
		return // started by something else, which may end before us
	}
	go func() {
		for range time.Tick(time.Second) {
			if os.Getppid() != parent {
				cancel()
				return
			}
		}
	}()
}
