package gcs

import (
	"fmt"
	"net/http"
	"os"
	"strconv"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// finish makes the bytes held the object, once. The caller has the turn.
//
// What happens when the process dies: before the document says committing, the
// session is open and whole, and the next request commits it; after that, the
// next Start sees by the object's generation whether it was stored; with the
// object stored and not yet announced, or announced and not yet noted, it is
// announced again.
func (e *Emulator) finish(r *http.Request, s *session, held int64) error {
	doc, _ := s.now()
	allowed, err := parseSizes(doc.LengthRange)
	if err == nil {
		err = allowed.check(held)
	}
	if err != nil {
		return err
	}
	// An empty object may have had no chunk at all.
	f, err := os.OpenFile(s.path+".data", os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	f.Close()
	body, err := openSpooled(s.path + ".data")
	if err != nil {
		return err
	}
	defer body.Close()
	err = matchDigests([][2]string{{doc.Object.MD5, body.md5}, {doc.Object.CRC32C, body.crc32c}})
	if err == nil {
		// Other digests of the request are of its body, a part of the object.
		err = body.checkDigests(http.Header{"X-Goog-Hash": r.Header.Values("X-Goog-Hash")})
	}
	if err != nil {
		return s.fail(err)
	}
	stored, err := e.commit(doc.Object.attrs(doc.Bucket), body, doc.Conditions, func(generation int64) error {
		return s.change(func(d *document) { d.State, d.Replaces = stateCommitting, generation })
	})
	if err != nil {
		if doc, _ = s.now(); doc.State == stateCommitting {
			if again := s.change(func(d *document) { d.State, d.Replaces = stateOpen, 0 }); again != nil {
				e.log.Printf("session of %s/%s: %v", doc.Bucket, doc.Object.Name, again)
			}
		}
		return err
	}
	return e.conclude(s, stored)
}

// fail ends a session whose bytes are not what they should be: held for good,
// they could only be stored wrong.
func (s *session) fail(cause error) error {
	if err := s.change(func(d *document) { d.State, d.Failure = stateFailed, cause.Error() }); err != nil {
		return err
	}
	if err := s.drop(); err != nil {
		return err
	}
	return cause
}

// conclude notes what is stored, for whoever asks again.
func (e *Emulator) conclude(s *session, stored fakestorage.ObjectAttrs) error {
	r := e.resource(stored)
	if err := s.change(func(d *document) { d.State, d.Stored = stateDone, &r }); err != nil {
		return err
	}
	return s.drop()
}

// settle decides about the sessions that were committing when the last run was
// killed. The commit held the object's lock, so a generation other than the one
// before it can only be its own.
func (e *Emulator) settle() error {
	for _, s := range e.sessions.all {
		if s.doc.State != stateCommitting {
			continue
		}
		live, ok := e.lookup(s.doc.Bucket, s.doc.Object.Name)
		if !ok || live.Generation == s.doc.Replaces {
			if err := s.change(func(d *document) { d.State, d.Replaces = stateOpen, 0 }); err != nil {
				return err
			}
			continue
		}
		var extra map[string]string
		if s.doc.Replaces != 0 {
			extra = map[string]string{"overwroteGeneration": strconv.FormatInt(s.doc.Replaces, 10)}
		}
		e.announce(eventFinalize, live, extra)
		if err := e.conclude(s, live); err != nil {
			return err
		}
	}
	return nil
}
