package harness

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/segue-audio/segue/emulators/cdn"
	"github.com/segue-audio/segue/emulators/cloudrun"
	"github.com/segue-audio/segue/emulators/gateway"
	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/emulators/push"
	"github.com/segue-audio/segue/emulators/scheduler"
	"github.com/segue-audio/segue/emulators/stores"
	"github.com/segue-audio/segue/shared/gcp"
)

func (h *Harness) start(ctx context.Context) error {
	keys, snapshot := filepath.Join(h.options.Data, "keys"), filepath.Join(h.options.Data, "spanner.snapshot")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return err
	}
	err := checkKeys(snapshot, keys)
	if err != nil {
		return err
	}
	if h.secrets, err = makeSecrets(keys); err != nil {
		return err
	}
	// Set, it is used as it is; the functions and the tools then find the same.
	spannerHost := os.Getenv("SPANNER_EMULATOR_HOST")
	h.stores, err = stores.Start(ctx, stores.Options{
		SpannerPort: h.options.port(9010), PubSubPort: h.options.port(8085), GCSPort: h.options.port(4443), RedisPort: h.options.port(6379),
		AbortRate: h.options.AbortRate, SpannerHost: spannerHost, SpannerBinary: os.Getenv("SPANNER_EMULATOR_BIN"), Log: h.log.part,
		Objects: filepath.Join(h.options.Data, "objects"), Keys: keys,
	})
	if err != nil {
		return err
	}
	for _, p := range h.stores.Parts() {
		h.adopt(p)
	}
	every := h.options.ExportEvery
	if every == 0 {
		every = time.Minute
	}
	// What starts after it stops before it, and writes no rows after the last export.
	h.keeper = newKeeper(snapshot, every, h.log.part("state"))
	h.keeper.alive = h.stores.SpannerHealth
	h.adopt(h.keeper)
	if err := h.startFaults(ctx); err != nil {
		return err
	}
	if err := h.startEdge(ctx); err != nil {
		return err
	}
	if err := h.startFunctions(ctx); err != nil {
		return err
	}
	if err := h.resume(ctx); err != nil {
		return err
	}
	if err := h.writeEnv(); err != nil {
		return err
	}
	h.adopt(h.keepEnv())
	if h.options.Demo == nil {
		return nil
	}
	return h.options.Demo(ctx, h)
}

// startEdge starts what the functions' environment names.
func (h *Harness) startEdge(ctx context.Context) error {
	var err error
	h.issuer, err = identity.New(identity.Options{
		Dir: filepath.Join(h.options.Data, "keys"), Issuer: issuer, Audience: audience, Now: time.Now, Port: h.options.port(8082),
	})
	if err != nil {
		return err
	}
	if err := h.watch(ctx, h.issuer); err != nil {
		return err
	}
	h.cdn, err = cdn.New(cdn.Options{
		Port: h.options.port(8081), Origin: h.stores.StorageURL, Bucket: audioBucket, Images: imagesBucket, Keys: h.secrets.slots.Keys, Log: h.log.part("cdn"),
		Transport: gcp.Bearer{Token: h.stores.Bearer, Base: http.DefaultTransport},
	})
	if err != nil {
		return err
	}
	return h.watch(ctx, h.cdn)
}

// startFunctions starts the functions and what calls them. The stores are
// filled while the functions' process comes up.
func (h *Harness) startFunctions(ctx context.Context) error {
	h.host = cloudrun.New(cloudrun.Options{
		Port: h.options.port(8084), Manifest: h.manifest, Verify: h.issuer.VerifyServiceToken, Env: h.functionEnv(), Log: h.log.part("functions"),
		Separate: cloudrun.Separate{Names: h.options.Separate, Dir: filepath.Join(h.options.Data, "crash"), Log: h.log.part},
	})
	if err := h.host.Listen(ctx); err != nil {
		return err
	}
	h.push = push.New(push.Options{
		Port: h.options.port(8083), Manifest: h.manifest, Project: project, FunctionURL: h.host.URL, Copies: h.options.Copies, Log: h.log.part("push"),
		Instances: runtime.NumCPU(),
		Token:     func(audience string) (string, error) { return h.issuer.ServiceToken(audience, pushEmail) },
	})
	if err := h.watch(ctx, h.push); err != nil {
		return err
	}
	if err := h.prepare(ctx); err != nil {
		return err
	}
	if err := h.watch(ctx, h.host); err != nil {
		return err
	}
	jobs, err := scheduler.New(scheduler.Options{
		Manifest: h.manifest, FunctionURL: h.host.URL, Now: time.Now, Log: h.log.part("scheduler"),
		Token: func(audience string) (string, error) { return h.issuer.ServiceToken(audience, schedulerEmail) },
	})
	if err != nil {
		return err
	}
	if err := h.watch(ctx, jobs); err != nil {
		return err
	}
	h.gateway = gateway.New(gateway.Options{
		Addr: h.options.Addr, Manifest: h.manifest, FunctionURL: h.host.URL, Log: h.log.part("gateway"),
		Harness: map[string]http.Handler{
			"/_emulators/schedule/":  jobs.Handler(),
			"GET /_emulators/health": http.HandlerFunc(h.health),
			"/_emulators/functions":  h.host.Handler(),
			"/_emulators/functions/": h.host.Handler(),
			// A new revision of the functions, and the CDN's signing keys.
			"POST /_emulators/functions/deploy": http.HandlerFunc(h.deploy),
			"GET /_emulators/functions/deploy":  http.HandlerFunc(h.deploy),
			cdn.KeysPath:                        h.cdn.Keys(),
			cdn.KeysPath + "/":                  h.cdn.Keys(),
		},
	})
	return h.watch(ctx, h.gateway)
}
