package harness

import (
	"context"
	"fmt"
	"net/url"

	"github.com/segue-audio/segue/emulators/faults"
)

// The proxies, by the names that toxiproxy's API knows.
const (
	spannerProxy = "spanner"
	pubsubProxy  = "pubsub"
	storageProxy = "storage"
	redisProxy   = "redis"
)

// toxiproxyPort is where toxiproxy's own command listens.
const toxiproxyPort = 8474

// startFaults puts a proxy in front of each store, for the functions alone: what
// calls a function, or looks at what it did, goes straight.
func (h *Harness) startFaults(ctx context.Context) error {
	if !h.options.Faults {
		return nil
	}
	upstreams := map[string]string{spannerProxy: h.stores.SpannerHost, pubsubProxy: h.stores.PubSubHost}
	for name, store := range map[string]string{storageProxy: h.stores.StorageURL, redisProxy: h.stores.RedisURL} {
		u, err := url.Parse(store)
		if err != nil {
			return fmt.Errorf("proxy of %s: %w", name, err)
		}
		upstreams[name] = u.Host
	}
	h.faults = faults.New(faults.Options{Port: h.options.port(toxiproxyPort), Stores: upstreams, Log: h.log.part("faults")})
	return h.watch(ctx, h.faults)
}

// throughFaults has an environment of functions name the proxies. The address
// that goes into signed URLs stays: clients reach the store itself.
func (h *Harness) throughFaults(env map[string]string) {
	if h.faults == nil {
		return
	}
	env["SPANNER_EMULATOR_HOST"] = h.faults.Host(spannerProxy)
	env["PUBSUB_EMULATOR_HOST"] = h.faults.Host(pubsubProxy)
	for variable, name := range map[string]string{"STORAGE_EMULATOR_HOST": storageProxy, "SEGUE_REDIS_URL": redisProxy} {
		if u, err := url.Parse(env[variable]); err == nil { // startFaults has parsed it
			u.Host = h.faults.Host(name)
			env[variable] = u.String()
		}
	}
}
