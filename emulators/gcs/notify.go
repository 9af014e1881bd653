package gcs

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

const (
	eventFinalize = "OBJECT_FINALIZE"
	eventDelete   = "OBJECT_DELETE"

	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second
	// farewell is how long Stop waits for a Pub/Sub that does not answer.
	farewell = 3 * time.Second
)

// announceWrite tells of a new live object and of the one it replaced.
func (e *Emulator) announceWrite(old fakestorage.ObjectAttrs, existed bool, stored fakestorage.ObjectAttrs) {
	if !existed {
		e.announce(eventFinalize, stored, nil)
		return
	}
	e.announce(eventDelete, old, map[string]string{"overwrittenByGeneration": strconv.FormatInt(stored.Generation, 10)})
	e.announce(eventFinalize, stored, map[string]string{"overwroteGeneration": strconv.FormatInt(old.Generation, 10)})
}

// announce queues one notification for each config that wants the event.
func (e *Emulator) announce(event string, o fakestorage.ObjectAttrs, extra map[string]string) {
	for _, c := range e.configs.list(o.BucketName) {
		if !c.wants(event, o.Name) {
			continue
		}
		attrs := map[string]string{}
		maps.Copy(attrs, c.Custom)
		maps.Copy(attrs, extra)
		maps.Copy(attrs, map[string]string{
			"notificationConfig": fmt.Sprintf("projects/_/buckets/%s/notificationConfigs/%s", o.BucketName, c.ID),
			"eventType":          event,
			"payloadFormat":      c.Payload,
			"bucketId":           o.BucketName,
			"objectId":           o.Name,
			"objectGeneration":   strconv.FormatInt(o.Generation, 10),
			"eventTime":          stamp(e.options.Now()),
		})
		var data []byte
		if c.Payload == "JSON_API_V1" {
			var err error
			if data, err = json.Marshal(e.resource(o)); err != nil {
				e.log.Printf("notification of %s/%s: %v", o.BucketName, o.Name, err)
				continue
			}
		}
		e.outbox.send(topicPattern.FindStringSubmatch(c.Topic)[1], data, attrs)
	}
}

type publish = func(ctx context.Context, topic string, data []byte, attrs map[string]string) error

// outbox publishes each notification until the topic has it, or the process
// ends. One topic's trouble does not hold up another's.
type outbox struct {
	publish publish
	log     *log.Logger
	ctx     context.Context
	cancel  context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func newOutbox(p publish, l *log.Logger) *outbox {
	// Notifications outlive the request, and the start, that caused them.
	ctx, cancel := context.WithCancel(context.Background())
	return &outbox{publish: p, log: l, ctx: ctx, cancel: cancel}
}

func (o *outbox) send(topic string, data []byte, attrs map[string]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.publish == nil {
		o.log.Printf("notification of %s lost: nothing publishes any more", attrs["objectId"])
		return
	}
	o.wg.Go(func() { o.deliver(topic, data, attrs) })
}

func (o *outbox) deliver(topic string, data []byte, attrs map[string]string) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := o.publish(o.ctx, topic, data, attrs)
		if err == nil {
			return
		}
		o.log.Printf("notification of %s to %s, again in %v: %v", attrs["objectId"], topic, wait, err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-o.ctx.Done():
			timer.Stop()
			o.log.Printf("notification of %s to %s lost: stopped", attrs["objectId"], topic)
			return
		}
	}
}

// stop waits for what is under way, then gives it up.
func (o *outbox) stop(ctx context.Context) {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	done := make(chan struct{})
	go func() {
		o.wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	o.cancel()
	<-done
}
