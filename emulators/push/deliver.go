package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

const (
	// A message has 10 MB at most, which is 13.4 MB in base64.
	maxBody = 16 << 20
	// What of a function's answer is passed on, for whoever reads the log.
	maxAnswer = 64 << 10
)

// answer is what a function said, or what is said in its stead.
type answer struct {
	status int
	body   string
}

func (a answer) acknowledges() bool { return acknowledges(a.status) }

// The statuses that Pub/Sub takes for an acknowledgement; 102, the fifth, is
// never a final status over HTTP.
func acknowledges(status int) bool {
	switch status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return true
	}
	return false
}

func (p *Push) handle(w http.ResponseWriter, r *http.Request) {
	topic := r.PathValue("topic")
	t, known := p.targets[r.PathValue("function")]
	if !known || !slices.Contains(t.Topics, topic) {
		http.Error(w, fmt.Sprintf("the manifest has no event function %q of topic %q", r.PathValue("function"), topic), http.StatusNotFound)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "read the push: "+err.Error(), http.StatusBadRequest)
		return
	}
	// An instance that is full queues. Pub/Sub waits as long as the ack
	// deadline, then hangs up.
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-r.Context().Done():
		http.Error(w, "no instance was free", http.StatusTooManyRequests)
		return
	}
	// Counted when it is delivered, not when it queues.
	m, err := p.parse(raw)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := p.deliver(r.Context(), t, topic, m.body)
	if a.acknowledges() {
		p.attempts.done(m.event)
	} else {
		p.log.Printf("%s: message %s, attempt %d: %d %s", t.Name, m.event.message, m.attempt, a.status, strings.TrimSpace(a.body))
	}
	w.WriteHeader(a.status)
	// A failure here is Pub/Sub hanging up.
	_, _ = io.WriteString(w, a.body)
}

// deliver delivers all copies, or those up to the first failure: the event
// then comes again, with all its copies. The two that go at once share the
// event's slot, since each stands for another instance.
func (p *Push) deliver(ctx context.Context, t *target, topic string, body []byte) answer {
	answers := make([]answer, min(p.options.Copies, 2))
	var wg sync.WaitGroup
	for n := range answers {
		wg.Go(func() { answers[n] = p.post(ctx, t, topic, body) })
	}
	wg.Wait()
	for _, a := range answers {
		if !a.acknowledges() {
			return a
		}
	}
	a := answers[0]
	for n := len(answers); n < p.options.Copies && a.acknowledges(); n++ {
		a = p.post(ctx, t, topic, body)
	}
	return a
}

func (p *Push) post(ctx context.Context, t *target, topic string, body []byte) answer {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	a, err := p.request(ctx, t, topic, body)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return answer{http.StatusGatewayTimeout, fmt.Sprintf("cut after %s: %v", t.Timeout, err)}
	case err != nil:
		return answer{http.StatusBadGateway, err.Error()}
	}
	return a
}

func (p *Push) request(ctx context.Context, t *target, topic string, body []byte) (answer, error) {
	base := strings.TrimSuffix(p.options.FunctionURL(t.Name), "/")
	token, err := p.options.Token(base)
	if err != nil {
		return answer{}, fmt.Errorf("token for %s: %w", base, err)
	}
	url := fmt.Sprintf("%s/projects/%s/topics/%s", base, p.options.Project, topic)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	// A redirect is an answer that does not acknowledge, so none is followed.
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return answer{}, fmt.Errorf("post to %s: %w", url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("answer of %s: %w", url, err)
	}
	return answer{resp.StatusCode, string(b)}, nil
}
