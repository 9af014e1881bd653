package functions

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	nameForm = regexp.MustCompile(`^[a-z]+-[a-z]+$`)
	pathForm = regexp.MustCompile(`^(/[a-z0-9._-]+|/\{[a-z_]+\})+$`)
)

// Pub/Sub waits 600 s at most for a push's answer, so no event function may
// take longer than this.
const maxEventTimeout = 540 * time.Second

func (m *Manifest) validate() error {
	var errs []error
	topics, dead := map[string]bool{}, ""
	for _, t := range m.Topics {
		if topics[t.Name] {
			errs = append(errs, fmt.Errorf("topic %q is declared twice", t.Name))
		}
		carries := 0
		for _, it := range []bool{t.Message != "", t.Bucket != "", t.DeadLetters} {
			if it {
				carries++
			}
		}
		if carries != 1 {
			errs = append(errs, fmt.Errorf("topic %q carries either a message or a bucket's notifications or dead letters", t.Name))
		}
		if t.DeadLetters && dead != "" {
			errs = append(errs, fmt.Errorf("topics %q and %q both carry dead letters", dead, t.Name))
		}
		if t.DeadLetters {
			dead = t.Name
		}
		topics[t.Name] = true
	}
	names, routes := map[string]bool{}, map[string]string{}
	for _, f := range m.Functions {
		if names[f.Name] {
			errs = append(errs, fmt.Errorf("function %q is declared twice", f.Name))
		}
		names[f.Name] = true
		for _, err := range f.problems(topics) {
			errs = append(errs, fmt.Errorf("function %q: %w", f.Name, err))
		}
		// The load balancer routes by path alone, so a path has one owner.
		for _, r := range f.Routes {
			if owner, taken := routes[shape(r.Path)]; taken && owner != f.Name {
				errs = append(errs, fmt.Errorf("function %q: path %s belongs to %q", f.Name, r.Path, owner))
			}
			routes[shape(r.Path)] = f.Name
		}
	}
	return errors.Join(errs...)
}

func (f Function) problems(topics map[string]bool) []error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(!nameForm.MatchString(f.Name), "a name is domain-function, in lower case")
	switch f.Kind {
	case HTTP:
		bad(len(f.Routes) == 0, "an http function has routes")
	case Event:
		bad(len(f.Topics) == 0, "an event function has topics")
		for i, t := range f.Topics {
			bad(!topics[t], "topic %q is not declared", t)
			bad(slices.Contains(f.Topics[:i], t), "topic %q is named twice", t)
		}
		bad(f.Timeout > maxEventTimeout, "timeout %s: an event function has %s at most", f.Timeout, maxEventTimeout)
	case Scheduled:
		bad(len(strings.Fields(f.Schedule)) != 5, "schedule %q has not the five fields of cron", f.Schedule)
	default:
		bad(true, "kind %q is none of http, event, scheduled", f.Kind)
	}
	bad(f.Kind != HTTP && len(f.Routes) > 0, "only an http function has routes")
	bad(f.Kind != Event && len(f.Topics) > 0, "only an event function has topics")
	bad(f.Kind != Scheduled && f.Schedule != "", "only a scheduled function has a schedule")
	bad(f.Timeout <= 0, "timeout is missing")
	bad(f.Concurrency < 1, "concurrency is missing")
	bad(f.Memory == "" || f.CPU < 1, "memory and cpu are missing")
	bad(f.MaxInstances < 1 || f.MinInstances > f.MaxInstances, "max_instances is at least 1 and at least min_instances")
	for _, s := range f.Secrets {
		bad(!slices.Contains(f.Environment, s), "secret %s is not in environment", s)
	}
	for _, r := range f.Routes {
		bad(!slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, r.Method), "method %q of %s", r.Method, r.Path)
		bad(!pathForm.MatchString(r.Path), "path %q", r.Path)
	}
	return errs
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// shape is a path with its parameters' names taken out: two paths of one shape
// match the same requests.
func shape(path string) string { return parameter.ReplaceAllString(path, "{}") }
