package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// client is a connection that is kept, and requests that were written before: on
// the same two cores, what a client takes is missing elsewhere.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

const patience = 10 * time.Second

func dial(ctx context.Context, addr string) (*client, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{c, bufio.NewReader(c)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// ask sends a request and reads all of the answer.
func (c *client) ask(request []byte) (status int, body []byte, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, nil, err
	}
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// press is a press of play, as bytes.
func press(track, query, token string) []byte {
	return fmt.Appendf(nil, "GET /v1/tracks/%s/stream%s HTTP/1.1\r\nHost: api.segue.bench\r\nAuthorization: Bearer %s\r\n\r\n", track, query, token)
}

// hammer sends the requests, each once, by so many clients at once that wait for
// their answers, and returns how long each took. All must be answered with 200.
func hammer(ctx context.Context, addr string, clients int, requests [][]byte) ([]time.Duration, error) {
	took := make([]time.Duration, len(requests))
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range clients {
		g.Go(func() error {
			c, err := dial(ctx, addr)
			if err != nil {
				return err
			}
			defer c.close()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(requests) {
					return nil
				}
				start := time.Now()
				status, body, err := c.ask(requests[i])
				took[i] = time.Since(start)
				if err := played(status, body, err); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return took, nil
}

// played is why an answer is not that of a track that plays.
func played(status int, body []byte, err error) error {
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %s", status, body)
	}
	if err != nil {
		return fmt.Errorf("GET /stream: %w", err)
	}
	return nil
}

// quantile of durations, in milliseconds: the least that so large a share does
// not exceed.
func quantile(all []time.Duration, share float64) float64 {
	if len(all) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(all))
	i := int(math.Ceil(share*float64(len(s)))) - 1
	return s[min(max(i, 0), len(s)-1)].Seconds() * 1e3
}
