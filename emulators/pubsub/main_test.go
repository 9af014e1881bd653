package pubsub

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/emutest/leak"
)

const patience = 60 * time.Second

// shared is the one emulator of this package's tests.
var shared *Emulator

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	shared = New(Options{})
	if err := shared.Start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = shared.Stop(context.Background()) }()
	return leak.Main(m.Run)
}

// project is a name that no other test has.
func project() string { return "test-" + strings.ToLower(rand.Text()) }
