package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/emulators/cloudrun"
)

// hosts are functions in processes of their own, as the platform has them, each
// started by its first call and watched until they are stopped.
type hosts struct {
	w       *world
	dir     string
	running map[string]*hosted
}

type hosted struct {
	*cloudrun.Host
	*watch
	log  hostLog // whole once the process has ended
	busy time.Duration
}

// hostLog is what a process and its front say.
type hostLog struct {
	mu sync.Mutex
	tail
}

func (l *hostLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tail.Write(p)
}

func (h *hosts) get(ctx context.Context, function string) (*hosted, error) {
	if f := h.running[function]; f != nil {
		return f, nil
	}
	tmp := filepath.Join(h.dir, function)
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return nil, err
	}
	f := &hosted{}
	f.Host = cloudrun.New(cloudrun.Options{
		Manifest: h.w.manifest, Target: function, Env: map[string]string{"TMPDIR": tmp}, Log: &f.log,
		// Who may call is not what is measured.
		Verify: func(string, string) error { return nil },
	})
	start, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := f.Start(start); err != nil {
		// It has ended: its log is whole.
		return nil, fmt.Errorf("start %s: %w: %s", function, err, lastLines(f.log.String(), 3))
	}
	f.watch = startWatch(f.PID(), tmp)
	if h.running == nil {
		h.running = map[string]*hosted{}
	}
	h.running[function] = f
	return f, nil
}

// stop ends all; their peaks are whole then.
func (h *hosts) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	var all []error
	for _, f := range h.running {
		f.end()
		all = append(all, f.Stop(ctx))
	}
	return errors.Join(all...)
}

// deliver pushes one event.
func (h *hosts) deliver(ctx context.Context, d delivery) error {
	body, err := json.Marshal(h.w.pushed(d))
	if err != nil {
		return err
	}
	_, err = h.call(ctx, d.function, http.MethodPost, "/projects/"+h.w.project+"/topics/"+d.topic, "none", body)
	return err
}

// call makes one request with a bearer token.
func (h *hosts) call(ctx context.Context, function, method, path, token string, body []byte) ([]byte, error) {
	f, err := h.get(ctx, function)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	b, err := request(ctx, method, f.URL(function)+path, map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}, bytes.NewReader(body))
	f.busy += time.Since(start)
	return b, err
}

// busyTries are how often a request is made that was told to try again: an
// instance that has just started gets all of them at once.
const busyTries = 50

// together makes so many requests at once.
func (h *hosts) together(ctx context.Context, n int, function, path, token string) error {
	f, err := h.get(ctx, function)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for range n {
		g.Go(func() (err error) {
			for range busyTries {
				if _, err = request(ctx, http.MethodGet, f.URL(function)+path, map[string]string{"Authorization": "Bearer " + token}, nil); !errors.Is(err, errBusy) {
					return err
				}
				if err := wait(ctx, 20*startPoll); err != nil {
					return err
				}
			}
			return err
		})
	}
	return g.Wait()
}

var errBusy = errors.New("503 Service Unavailable")

func request(ctx context.Context, method, url string, header map[string]string, body io.Reader) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	if f, isFile := body.(*os.File); isFile {
		stat, err := f.Stat()
		if err != nil {
			return nil, err
		}
		r.ContentLength = stat.Size()
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode == http.StatusServiceUnavailable {
		err = fmt.Errorf("%s %s: %w: %s", method, r.URL.Path, errBusy, bytes.TrimSpace(b))
	} else if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, r.URL.Path, resp.Status, bytes.TrimSpace(b))
	}
	return b, err
}
