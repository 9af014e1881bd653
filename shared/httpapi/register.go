package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/once"
	"github.com/segue-audio/segue/shared/registry"
	"github.com/segue-audio/segue/shared/telemetry"
)

// Register makes an HTTP function of routes. Config is the function's
// configuration, AuthConfig included; ready builds what its routes need.
func Register[Config any](name string, ready func() error, routes ...Route) {
	admission := once.Value(openAdmission)
	f := registry.Function{
		Name: name, Environment: config.Names[Config](),
		Ready: func() error {
			_, err := admission()
			return errors.Join(telemetry.Start(), err, ready())
		},
		HTTP: newHandler(name, routes, admission).ServeHTTP,
	}
	for _, r := range routes {
		f.Routes = append(f.Routes, registry.Route{Method: r.Method, Path: r.Path, Scope: r.Scope})
	}
	registry.Add(f)
}

// RegisterJob makes a function that the scheduler calls: any POST runs job
// once. Who may call it is the platform's to check, as it is for events; so what
// the caller says of the time is the scheduler's word, and DueAt gives it to job.
func RegisterJob[Config, Deps any](name string, deps func() (Deps, error), job func(context.Context, Deps) (map[string]int, error)) {
	handler := middleware(name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			WriteError(w, r, errs.New(errs.MethodNotAllowed, "a job is run by POST"))
			return
		}
		// Until its body is read, a request's context does not end with the
		// connection, and a run that was cut would go on.
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			WriteError(w, r, bodyError(err))
			return
		}
		d, err := deps()
		if err != nil {
			WriteError(w, r, notReady(err))
			return
		}
		result, err := job(withDue(r.Context(), r.Header), d)
		if err != nil {
			WriteError(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, result)
	}))
	registry.Add(registry.Function{
		Name: name, Environment: config.Names[Config](), HTTP: handler.ServeHTTP,
		Ready: func() error { _, err := deps(); return errors.Join(telemetry.Start(), err) },
	})
}
