package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/segue-audio/segue/shared/deadletter"
	"github.com/segue-audio/segue/shared/event"
)

// letter is how a dead letter is told of.
type letter struct {
	ID            string            `json:"id"`
	Function      string            `json:"function"`
	Topic         string            `json:"topic"`
	Subscription  string            `json:"subscription"`
	EventID       string            `json:"event_id,omitempty"`
	MessageID     string            `json:"message_id"`
	DeliveryCount int64             `json:"delivery_count,omitempty"`
	Error         string            `json:"error"`
	TraceID       string            `json:"trace_id,omitempty"`
	UploadID      string            `json:"upload_id,omitempty"`
	ReplayOf      string            `json:"replay_of,omitempty"`
	PublishedAt   string            `json:"published_at,omitempty"`
	FailedAt      string            `json:"failed_at,omitempty"`
	FirstSeen     string            `json:"first_seen"`
	ReplayedAt    string            `json:"replayed_at,omitempty"`
	Attributes    map[string]string `json:"attributes,omitempty"`
	// Message is the data, as JSON where it is one of our messages or JSON itself.
	Message json.RawMessage `json:"message,omitempty"`
	// Data is the data in base64 where it is neither, and Unreadable says why.
	Data       string `json:"data,omitempty"`
	Unreadable string `json:"unreadable,omitempty"`
}

func describe(l *deadletter.Letter, whole bool) letter {
	d := letter{
		ID: l.ID, Function: l.Function, Topic: l.Topic, Subscription: l.Subscription, EventID: l.EventID, MessageID: l.MessageID,
		DeliveryCount: l.DeliveryCount, Error: why(l), TraceID: l.TraceID, UploadID: l.UploadID, ReplayOf: l.ReplayOf,
		PublishedAt: stamp(l.Published), FailedAt: stamp(l.FailedAt), FirstSeen: stamp(l.FirstSeen), ReplayedAt: stamp(l.ReplayedAt),
	}
	if !whole {
		return d
	}
	d.Attributes = l.Attributes
	m, err := event.Decode(l.Topic, l.Data)
	switch {
	case err == nil:
		b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
		if err == nil {
			d.Message = b
			return d
		}
		d.Unreadable = err.Error()
	case len(l.Data) == 0:
		return d
	case errors.Is(err, event.ErrNoMessage) && utf8.Valid(l.Data) && json.Valid(l.Data):
		d.Message = l.Data // a bucket's notification
		return d
	default:
		d.Unreadable = err.Error()
	}
	d.Data = base64.StdEncoding.EncodeToString(l.Data)
	return d
}

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show one with its message, attributes and error", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			l, err := deadletter.Read(cmd.Context(), st.spanner, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(describe(l, true))
			}
			return a.show(describe(l, true))
		},
	}
}

func (a *app) show(d letter) error {
	for _, line := range []struct{ name, value string }{
		{"id", d.ID},
		{"function", or(d.Function, "unknown")},
		{"topic", or(d.Topic, "unknown")},
		{"subscription", or(d.Subscription, "unknown")},
		{"event", d.EventID},
		{"message", d.MessageID},
		{"deliveries", count(d.DeliveryCount)},
		{"upload", d.UploadID},
		{"replay of", d.ReplayOf},
		{"published", d.PublishedAt},
		{"failed", d.FailedAt},
		{"first seen", d.FirstSeen},
		{"replayed", or(d.ReplayedAt, "no")},
		{"trace", d.TraceID},
		{"error", d.Error},
	} {
		if line.value != "" {
			fmt.Fprintf(a.out, "%-13s %s\n", line.name, line.value)
		}
	}
	fmt.Fprintln(a.out, "attributes")
	for _, k := range slices.Sorted(maps.Keys(d.Attributes)) {
		fmt.Fprintf(a.out, "  %s = %q\n", k, d.Attributes[k])
	}
	switch {
	case d.Message != nil:
		var v any
		if err := json.Unmarshal(d.Message, &v); err != nil {
			return err
		}
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "data\n%s\n", b)
	case d.Data != "":
		fmt.Fprintf(a.out, "data (%s), in base64\n%s\n", d.Unreadable, d.Data)
	default:
		fmt.Fprintln(a.out, "data is empty")
	}
	return nil
}

func count(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
