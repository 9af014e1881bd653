package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/segue-audio/segue/shared/drain"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/telemetry"
)

// newHandler serves the routes of the function of this name.
func newHandler(name string, routes []Route, admission func() (admission, error)) http.Handler {
	mux := http.NewServeMux()
	byPath := map[string]map[string]Route{}
	for _, r := range routes {
		if byPath[r.Path] == nil {
			byPath[r.Path] = map[string]Route{}
		}
		byPath[r.Path][r.Method] = r
	}
	for path, methods := range byPath {
		mux.Handle(path, operations{methods: methods, admission: admission})
	}
	mux.HandleFunc(root, func(w http.ResponseWriter, r *http.Request) {
		WriteError(w, r, errs.New(errs.NotFound, "there is nothing at %s", r.URL.Path))
	})
	return middleware(name, mux)
}

// operations is one path with its methods.
type operations struct {
	methods   map[string]Route
	admission func() (admission, error)
}

func (o operations) allowed() string {
	names := []string{http.MethodOptions}
	for m := range o.methods {
		names = append(names, m)
		if m == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (o operations) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if method == http.MethodOptions {
		o.preflight(w)
		return
	}
	route, ok := o.methods[method]
	if !ok {
		w.Header().Set("Allow", o.allowed())
		WriteError(w, r, errs.New(errs.MethodNotAllowed, "%s is not allowed here; allowed: %s", r.Method, o.allowed()))
		return
	}
	if err := o.serve(w, r, route); err != nil {
		WriteError(w, r, err)
	}
}

func (o operations) preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Allow", o.allowed())
	h.Set("Access-Control-Allow-Methods", o.allowed())
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, X-Request-Id, Traceparent")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

func (o operations) serve(w http.ResponseWriter, r *http.Request, route Route) error {
	a, err := o.admission()
	if err != nil {
		return notReady(err)
	}
	ctx, err := a.admit(r, route)
	if err != nil {
		return err
	}
	return route.handle(w, r.WithContext(ctx))
}

func notReady(err error) error {
	return errs.Wrap(err, errs.Unavailable, "this function is not ready; try again")
}

// root is the pattern of what no route took.
const root = "/"

// middleware is what every request to a function passes, whatever its route.
func middleware(function string, next http.Handler) http.Handler {
	return within(func() time.Duration { return timeout(function) }, function, next)
}

func within(limit func() time.Duration, function string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leave, ok := drain.Enter()
		defer leave()
		if !ok {
			w.Header().Set("Connection", "close")
			WriteError(w, r, errs.New(errs.Unavailable, "this instance is ending; try again"))
			return
		}
		start := time.Now()
		request := requestID(r.Header.Get("X-Request-Id"))
		misconfigured := telemetry.Start()
		ctx, span := telemetry.Serve(r.Context(), function, r)
		r = r.Clone(ctx)
		r.Pattern = "" // of a mux before us
		hurry(w, r.Body, limit())
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		// A trailing slash is the same route, without a redirect.
		if len(r.URL.Path) > 1 {
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
			r.URL.RawPath = strings.TrimSuffix(r.URL.RawPath, "/")
		}
		h := w.Header()
		h.Set("X-Request-Id", request)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id, ETag")
		recorder := &statusRecorder{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				slog.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if recorder.status == 0 {
					WriteError(recorder, r, errs.New(errs.Internal, "something went wrong on our side (trace %s)", telemetry.TraceOf(ctx).ID))
				}
			}
			route := r.Pattern
			if route == root {
				route = ""
			}
			span.End(ctx, route, recorder.status)
			// The server would send it after we left, when a process that drains may
			// have ended already.
			_ = http.NewResponseController(w).Flush()
			slog.InfoContext(ctx, "request", "method", r.Method, "path", r.URL.Path, "status", recorder.status, "request_id", request, "ms", time.Since(start).Milliseconds())
		}()
		if misconfigured != nil {
			WriteError(recorder, r, notReady(misconfigured))
			return
		}
		next.ServeHTTP(recorder, r)
	})
}

// requestID keeps a client's id when it is harmless in a log.
func requestID(given string) string {
	if given == "" || len(given) > 64 || strings.ContainsFunc(given, func(c rune) bool {
		return c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) {
		return id.Random()
	}
	return given
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusRecorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
