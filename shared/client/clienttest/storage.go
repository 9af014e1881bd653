package clienttest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// granule is what Cloud Storage takes: of a request that breaks it keeps
// multiples of it only, and every chunk but the last must be one.
const granule = 256 << 10

// session is a resumable session as Cloud Storage's documentation has it.
func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	var u *Upload
	var gone, complete bool
	s.Do(func() {
		if u = s.Upload(r.PathValue("id")); u != nil {
			gone, complete = u.Gone, u.Complete
		}
	})
	var first, last, size int64
	value := r.Header.Get("Content-Range")
	switch {
	case u == nil || gone:
		http.Error(w, "no such session", http.StatusGone)
	case complete:
		w.WriteHeader(http.StatusOK)
	case value == fmt.Sprintf("bytes */%d", u.Size):
		if r.ContentLength != 0 {
			http.Error(w, "a question has no body", http.StatusBadRequest)
			return
		}
		s.held(w, u)
	default:
		_, err := fmt.Sscanf(value, "bytes %d-%d/%d", &first, &last, &size)
		n := last - first + 1
		if err != nil || size != u.Size || last >= size || r.ContentLength != n || n <= 0 || (last+1 < size && n%granule != 0) {
			http.Error(w, fmt.Sprintf("Content-Range %q of %d bytes", value, r.ContentLength), http.StatusBadRequest)
			return
		}
		s.take(w, r, u, first, last)
	}
}

// take appends what is new of a chunk.
func (s *Server) take(w http.ResponseWriter, r *http.Request, u *Upload, first, last int64) {
	held, cut := int64(0), int64(-1)
	s.Do(func() {
		held = int64(len(u.Held))
		if len(s.Cuts) > 0 && s.Cuts[0] <= last {
			cut, s.Cuts = s.Cuts[0], s.Cuts[1:]
		}
	})
	if first > held {
		http.Error(w, fmt.Sprintf("bytes from %d on, of which %d are held", first, held), http.StatusRequestedRangeNotSatisfiable)
		return
	}
	end := last + 1
	if cut >= 0 {
		end = max(first, cut)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, end-first))
	if cut >= 0 || err != nil || int64(len(body)) < end-first {
		keep := (first + int64(len(body))) / granule * granule
		s.Do(func() {
			if keep > int64(len(u.Held)) {
				u.Held = append(u.Held, body[held-first:keep-first]...)
			}
		})
		panic(http.ErrAbortHandler) // the connection breaks
	}
	var complete bool
	s.Do(func() {
		u.Held = append(u.Held, body[held-first:]...)
		u.Complete = int64(len(u.Held)) == u.Size
		complete = u.Complete
	})
	if complete {
		w.WriteHeader(http.StatusOK)
		return
	}
	s.held(w, u)
}

func (s *Server) held(w http.ResponseWriter, u *Upload) {
	s.Do(func() {
		if n := len(u.Held); n > 0 {
			w.Header().Set("Range", "bytes=0-"+strconv.Itoa(n-1))
		}
	})
	w.WriteHeader(http.StatusPermanentRedirect)
}

// object is a signed URL that takes one new object.
func (s *Server) object(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	taken := false
	s.Do(func() {
		u := s.Upload(r.PathValue("id"))
		taken = u == nil || u.Complete || err != nil || int64(len(body)) != u.Size
		if !taken {
			u.Held, u.Complete = body, true
		}
	})
	if taken {
		http.Error(w, "conditionNotMet", http.StatusPreconditionFailed)
	}
}
