package event

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segue-audio/segue/shared/id"
)

// What Pub/Sub adds to a message that it forwards to a dead-letter topic; such a
// message has an id of its own, and all attributes of the one that it stands for.
// https://cloud.google.com/pubsub/docs/handling-failures#how_dead_letter_topics_work
const (
	attrDead             = "CloudPubSubDeadLetterSource" // begins all of them
	attrDeadSubscription = attrDead + "Subscription"
	attrDeadCount        = attrDead + "DeliveryCount"
	attrDeadPublished    = attrDead + "TopicPublishTime"
)

// attrReplayOf is the dead letter that a message was replayed from.
const attrReplayOf = "replay_of"

// attrPubSub begins what Pub/Sub adds to a message of a topic with a schema, and
// takes from no publisher.
// https://cloud.google.com/pubsub/docs/publisher#using_attributes
const attrPubSub = "goog"

// maxName is how long a name may be in Pub/Sub.
const maxName = 255

// DeadLetter is a message that no delivery got done. What it does not tell is
// zero: anybody may publish to the dead-letter topic.
type DeadLetter struct {
	MessageID  string // on the dead-letter topic
	Data       []byte
	Attributes map[string]string // all, Pub/Sub's own too

	Subscription    string // bare name
	Function, Topic string // as the subscription's name says; it may be gone
	DeliveryCount   int64
	Published       time.Time // to its own topic
	EventID         string    // ours; a bucket's notification has none
	Trace           string    // traceparent
	ReplayOf        string    // the dead letter that it was replayed from
}

// RegisterDeadLetters makes an event function of the dead-letter topic.
func RegisterDeadLetters[Config, Deps any](name string, deps func() (Deps, error), logic Logic[DeadLetter, Deps]) {
	add[Config](name, nil, deps, func(p published) (DeadLetter, error) {
		return NewDeadLetter(p.Message.MessageID, p.Message.Data, p.Message.Attributes), nil
	}, logic, nil)
}

// NewDeadLetter reads what Pub/Sub forwarded.
func NewDeadLetter(messageID string, data []byte, attributes map[string]string) DeadLetter {
	d := DeadLetter{
		MessageID: messageID, Data: data, Attributes: attributes, Subscription: path.Base("/" + attributes[attrDeadSubscription]),
		EventID: attributes[attrID], Trace: attributes[attrTrace], ReplayOf: attributes[attrReplayOf],
	}
	// Pub/Sub's names are shorter: what is longer is no subscription's.
	if d.Subscription == "/" || len(d.Subscription) > maxName {
		d.Subscription = ""
	}
	if !id.Valid(d.ReplayOf) {
		d.ReplayOf = ""
	}
	// functions.Function.Subscription makes this name.
	d.Function, d.Topic, _ = strings.Cut(d.Subscription, ".")
	if d.Topic == "" {
		d.Function = "" // a subscription of another kind
	}
	if n, err := strconv.ParseInt(attributes[attrDeadCount], 10, 64); err == nil {
		d.DeliveryCount = n
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(form, attributes[attrDeadPublished]); err == nil && t.Year() > 0 {
			d.Published = t.UTC()
		}
	}
	return d
}

// ID is the same for every copy of the dead letter: Pub/Sub may forward a message
// twice, under two ids. What died again after a replay is another: it was
// published at another time.
func (d DeadLetter) ID() string {
	if d.Subscription == "" || d.Published.IsZero() {
		return digest("dead letter", d.Subscription, d.MessageID, d.Data, d.original())
	}
	return digest("dead letter", d.Subscription, d.Published.Format(time.RFC3339Nano), d.Data, d.original())
}

// Delivery is the id under which the deliveries of the message failed.
func (d DeadLetter) Delivery() string { return deliveryID(d.Subscription, d.Data, d.original()) }

// original are the attributes that the message had on its own topic.
func (d DeadLetter) original() map[string]string {
	return without(d.Attributes, attrDead, attrPubSub)
}

// without leaves out the attributes that begin so.
func without(attributes map[string]string, prefixes ...string) map[string]string {
	a := maps.Clone(attributes)
	maps.DeleteFunc(a, func(k, _ string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(k, prefix) })
	})
	return a
}

// Replay is what is published to try again: the message with the attributes that
// it had, so that its event keeps its id, and the dead letter's own id beside
// them, by which it is known if it dies again.
func (d DeadLetter) Replay() (data []byte, attributes map[string]string) {
	a := d.original()
	if a == nil {
		a = map[string]string{}
	}
	a[attrReplayOf] = d.ID()
	return d.Data, a
}
