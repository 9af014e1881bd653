package part

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// blocking is a handler that answers when it is let, and says when it is asked.
func blocking() (h http.HandlerFunc, asked chan struct{}, finish chan struct{}) {
	asked, finish = make(chan struct{}, 1), make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-finish:
			_, _ = io.WriteString(w, "complete")
		case <-r.Context().Done():
		}
	}, asked, finish
}

func TestServerStopLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	h, asked, finish := blocking()
	s, err := StartServer(t.Context(), "cdn", 0, h)
	if err != nil {
		t.Fatal(err)
	}
	answer, stopped := make(chan string, 1), make(chan error, 1)
	go func() {
		body, err := get(t.Context(), s.URL())
		answer <- body + errorText(err)
	}()
	wait(t, asked)
	go func() { stopped <- s.Stop(t.Context()) }()
	close(finish)
	if got := wait(t, answer); got != "complete" {
		t.Errorf("the request in flight = %q", got)
	}
	if err := wait(t, stopped); err != nil {
		t.Error(err)
	}
	if _, err := get(t.Context(), s.URL()); err == nil {
		t.Error("it still answers")
	}
	select {
	case err := <-s.Failed():
		t.Errorf("a stop counts as a failure: %v", err)
	default:
	}
}

func TestServerStopCutsWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	h, asked, _ := blocking()
	s, err := StartServer(t.Context(), "cdn", 0, h)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := get(t.Context(), s.URL())
		answer <- err
	}()
	wait(t, asked)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
	if wait(t, answer) == nil {
		t.Error("the request was not cut")
	}
}

func TestServerThatEndsByItselfSaysWhy(t *testing.T) {
	t.Parallel()
	l, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s := Serve("cdn", l, http.NotFoundHandler())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, s.Failed()); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "cdn ended by itself") {
		t.Errorf("failed = %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("stop afterwards: %v", err)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Parallel()
	l, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().(*net.TCPAddr)
	if !addr.IP.IsLoopback() {
		t.Errorf("it listens on %s", addr)
	}
	want := "127.0.0.1:" + strconv.Itoa(addr.Port) + " cannot be listened on"
	if _, err := Listen(t.Context(), addr.Port); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Listen: %v", err)
	}
	if _, err := ListenOn(t.Context(), l.Addr().String()); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("ListenOn: %v", err)
	}
	if _, err := StartServer(t.Context(), "cdn", addr.Port, nil); err == nil || !strings.HasPrefix(err.Error(), "cdn: "+want) {
		t.Errorf("StartServer: %v", err)
	}
	if _, err := ListenOn(t.Context(), "nowhere"); err == nil || !strings.Contains(err.Error(), "nowhere cannot be listened on") {
		t.Errorf("ListenOn without a port: %v", err)
	}
}

func TestFreePortCanBeListenedOn(t *testing.T) {
	t.Parallel()
	port, err := FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Headers that do not come to an end hold nothing for long: functions rely on it
// here as on the platform's front end.
func TestHeadersThatTrickleAreCut(t *testing.T) {
	t.Parallel()
	s, err := StartServer(t.Context(), "test", 0, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\n")
		for range time.Tick(500 * time.Millisecond) {
			if err != nil {
				return
			}
			_, err = io.WriteString(c, "X-More: and more\r\n")
		}
	}()
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}
