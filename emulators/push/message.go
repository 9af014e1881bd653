package push

import (
	"encoding/json"
	"errors"
	"fmt"
)

// message is a push, as it goes on to the function.
type message struct {
	event   event
	attempt int
	body    []byte
}

// parse adds deliveryAttempt, which Pub/Sub sends for a subscription that has
// a dead-letter policy, to a push that does not have it, and leaves all else
// as it came.
func (p *Push) parse(raw []byte) (message, error) {
	var known struct {
		Subscription    string `json:"subscription"`
		DeliveryAttempt int    `json:"deliveryAttempt"`
		Message         struct {
			ID string `json:"messageId"`
		} `json:"message"`
	}
	fields := map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(raw, &known), json.Unmarshal(raw, &fields)); err != nil {
		return message{}, fmt.Errorf("the push is not JSON: %w", err)
	}
	if known.Subscription == "" || known.Message.ID == "" {
		return message{}, errors.New("the push names no subscription or no messageId")
	}
	m := message{event: event{known.Subscription, known.Message.ID}, attempt: known.DeliveryAttempt, body: raw}
	if m.attempt > 0 {
		return m, nil
	}
	m.attempt = p.attempts.next(m.event)
	fields["deliveryAttempt"] = fmt.Append(nil, m.attempt)
	body, err := json.Marshal(fields)
	if err != nil {
		return message{}, fmt.Errorf("encode the push: %w", err)
	}
	m.body = body
	return m, nil
}
