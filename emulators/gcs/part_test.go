package gcs_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/gcs"
	"github.com/segue-audio/segue/emulators/part"
)

func TestItIsAPart(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var p part.Part = gcs.New(gcs.Options{Bearer: bearer})
	if err := p.Health(t.Context()); err == nil {
		t.Error("well before it starts")
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("stopping what never started: %v", err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Health(t.Context()); err != nil {
		t.Error(err)
	}
	host := p.(*gcs.Emulator).Host()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for range 2 {
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	if err := p.Health(t.Context()); err == nil {
		t.Errorf("well after Stop at %s", host)
	}
	select {
	case err := <-p.Failed():
		t.Errorf("told to stop, but failed: %v", err)
	default:
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	t.Parallel()
	l, err := part.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port, err := part.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := start(t, func(o *gcs.Options) { o.Port = port })
	second := gcs.New(gcs.Options{Port: port, Bearer: bearer, Dir: t.TempDir()})
	if err := second.Start(t.Context()); err == nil {
		stop(t, second)
		t.Fatalf("two parts on one port %s", e.Host())
	}
}
