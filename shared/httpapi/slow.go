package httpapi

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/segue-audio/segue/functions"
)

// A client may be slow, on purpose or not, but does not hold a worker longer
// than the manifest gives the function: half of that time is for its body to
// arrive, and by the end of it the answer is out, or given up. The framework's
// server has no limits of its own. What comes before the handler, the headers,
// is taken by the platform's front end, and locally by emulators/cloudrun's.

// unlisted is the time of a function that the manifest does not have.
const unlisted = time.Minute

// manifest has each function's time. A build whose manifest cannot be read
// fails the drift test; here its functions have the default.
var manifest = sync.OnceValue(func() map[string]time.Duration {
	all := map[string]time.Duration{}
	m, err := functions.Load()
	if err != nil {
		return all
	}
	for _, f := range m.Functions {
		all[f.Name] = f.Timeout
	}
	return all
})

func timeout(function string) time.Duration {
	if t := manifest()[function]; t > 0 {
		return t
	}
	return unlisted
}

// hurry gives a request its time. The server lifts the body's deadline when it
// has all of it, to watch whether the client goes away; without a body it
// watches from the start. A writer that is no connection, as a test's, has no
// limits.
func hurry(w http.ResponseWriter, body io.ReadCloser, limit time.Duration) {
	connection, now := http.NewResponseController(w), time.Now()
	_ = connection.SetWriteDeadline(now.Add(limit))
	if body != nil && body != http.NoBody {
		_ = connection.SetReadDeadline(now.Add(limit / 2))
	}
}
