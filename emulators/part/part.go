// Package part is what every emulator has in common: it starts, says whether
// it is well, says why it died, and stops. It knows nothing of what a part is
// for; the harness composes parts, a test starts one by itself.
package part

import (
	"context"
	"fmt"
	"net"
)

// Part is one emulator of the harness.
type Part interface {
	// Name is the prefix of its log lines and what an error calls it.
	Name() string
	// Start returns when the part serves, or with the reason why it does not.
	// It is called once.
	Start(ctx context.Context) error
	// Health asks the running part, over its own protocol, whether it serves.
	Health(ctx context.Context) error
	// Stop ends the part and everything it started. A part that never started
	// or has already ended stops without an error.
	Stop(ctx context.Context) error
	// Failed delivers one error when the part ends without being told to.
	Failed() <-chan error
}

// Listen opens a loopback listener; port 0 takes any free port.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	return ListenOn(ctx, fmt.Sprintf("127.0.0.1:%d", port))
}

// ListenOn opens a listener on host:port; "" is loopback, any free port.
func ListenOn(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be listened on: %w", addr, err)
	}
	return l, nil
}

// FreePort asks the kernel for a port that nothing listens on, for programs
// that must be told their port before they start.
func FreePort(ctx context.Context) (int, error) {
	l, err := Listen(ctx, 0)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
