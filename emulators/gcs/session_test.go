package gcs_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/emulators/gcs"
)

const quantum = 256 << 10

// newSession is newObject as a resumable session.
func newSession(o *storage.SignedURLOptions) {
	newObject(o)
	o.Method, o.Headers = "POST", append(o.Headers, "x-goog-resumable:start")
}

var newSessionHeaders = append([]string{"X-Goog-Resumable:start"}, newObjectHeaders...)

// begin starts a session for an object of exactly size bytes, as the upload
// function does.
func begin(t *testing.T, e *gcs.Emulator, object string, size int) string {
	t.Helper()
	u, headers := signedStart(t, e, object, size)
	a := do(t, "POST", u, nil, headers...)
	a.want(t, 201, "")
	return a.Header.Get("Location")
}

func signedStart(t *testing.T, e *gcs.Emulator, object string, size int) (to string, headers []string) {
	t.Helper()
	bounds := fmt.Sprintf("x-goog-content-length-range:%d,%d", size, size)
	to = sign(t, e, "POST", object, func(o *storage.SignedURLOptions) {
		o.ContentType = flac
		o.Headers = []string{"x-goog-resumable:start", "x-goog-if-generation-match:0", bounds}
	})
	return to, []string{"X-Goog-Resumable:start", "X-Goog-If-Generation-Match:0", bounds, "Content-Type:" + flac}
}

// beginJSON starts a session by the JSON API.
func beginJSON(t *testing.T, e *gcs.Emulator, query, body string, headers ...string) answer {
	t.Helper()
	to := e.URL() + "/upload/storage/v1/b/" + bucket + "/o?uploadType=resumable" + query
	return do(t, "POST", to, strings.NewReader(body), append([]string{"Authorization:Bearer " + bearer}, headers...)...)
}

// send puts content[first:end] of total ("*" for unknown).
func send(t *testing.T, session string, content []byte, first, end int, total any) answer {
	t.Helper()
	return do(t, "PUT", session, bytes.NewReader(content[first:end]), fmt.Sprintf("Content-Range:bytes %d-%d/%v", first, end-1, total))
}

func ask(t *testing.T, session string, total any) answer {
	t.Helper()
	return do(t, "PUT", session, nil, fmt.Sprintf("Content-Range:bytes */%v", total))
}

// holds checks an answer that says how much has arrived.
func (a answer) holds(t *testing.T, n int) {
	t.Helper()
	want := ""
	if n > 0 {
		want = fmt.Sprintf("bytes=0-%d", n-1)
	}
	if a.StatusCode != 308 || a.Header.Get("Range") != want {
		t.Fatalf("answer %s, Range %q, want 308 with %q: %s", a.Status, a.Header.Get("Range"), want, a.body)
	}
}

func stored(t *testing.T, e *gcs.Emulator, object string, want []byte) *storage.ObjectAttrs {
	t.Helper()
	o := client(t, e).Bucket(bucket).Object(object)
	if got := read(t, o); !bytes.Equal(got, want) {
		t.Fatalf("%s holds %d other bytes, want %d", object, len(got), len(want))
	}
	attrs, err := o.Attrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return attrs
}

func nothingStored(t *testing.T, e *gcs.Emulator) {
	t.Helper()
	if got := list(t, client(t, e).Bucket(bucket), nil); len(got) != 0 {
		t.Fatalf("stored %q", got)
	}
}

func TestASignedPostBeginsASession(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	e, _ := notified(t, in, &storage.Notification{EventTypes: []string{storage.ObjectFinalizeEvent}})
	content := noise(t, 3*quantum+77)
	session := begin(t, e, "take/one two.flac", len(content))
	at, err := url.Parse(session)
	if err != nil || at.Host != e.Host() || at.EscapedPath() != "/"+bucket+"/take/one%20two.flac" || len(at.Query().Get("upload_id")) < 22 {
		t.Fatalf("session %s: %v", session, err)
	}
	if other := begin(t, e, "take/one two.flac", len(content)); other == session {
		t.Fatal("two sessions have one address")
	}
	ask(t, session, "*").holds(t, 0)
	ask(t, session, len(content)).holds(t, 0)
	send(t, session, content, 0, quantum, "*").holds(t, quantum)
	send(t, session, content, quantum, 3*quantum, len(content)).holds(t, 3*quantum)
	ask(t, session, len(content)).holds(t, 3*quantum)
	nothingStored(t, e)
	last := send(t, session, content, 3*quantum, len(content), len(content))
	last.want(t, 200, "")
	attrs := stored(t, e, "take/one two.flac", content)
	if attrs.ContentType != flac {
		t.Errorf("type %s", attrs.ContentType)
	}
	// Whatever is sent after the commit is told of the object again.
	for name, again := range map[string]answer{
		"last chunk": send(t, session, content, 3*quantum, len(content), len(content)),
		"question":   ask(t, session, len(content)),
		"unknown":    ask(t, session, "*"),
		"everything": do(t, "PUT", session, bytes.NewReader(content)),
		"other":      do(t, "PUT", session, strings.NewReader("other")),
	} {
		again.want(t, 200, "")
		for _, h := range []string{"X-Goog-Generation", "Etag", "X-Goog-Hash", "X-Goog-Stored-Content-Length"} {
			if got := again.Header.Get(h); got != last.Header.Get(h) || got == "" {
				t.Errorf("%s: %s is %q, want %q", name, h, got, last.Header.Get(h))
			}
		}
	}
	if again := stored(t, e, "take/one two.flac", content); again.Generation != attrs.Generation {
		t.Error("stored twice")
	}
	stop(t, e)
	if got := in.wait(t, 1); len(got) != 1 {
		t.Errorf("announced %d times", len(got))
	}
}

func TestTheSessionAddressIsAllItTakes(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	session := begin(t, e, "a", 5)
	address, id, _ := strings.Cut(session, "?")
	for name, other := range map[string]string{
		"guessed":        session[:len(session)-4] + "AAAA",
		"empty":          address + "?upload_id=",
		"another object": strings.Replace(session, "/a?", "/b?", 1),
		"another bucket": strings.Replace(session, bucket, bucket+"x", 1),
		"a file":         address + "?upload_id=..%2Fnotifications",
		"another API":    e.URL() + "/upload/storage/v1/b/" + bucket + "/o?" + id,
	} {
		for _, method := range []string{"PUT", "DELETE"} {
			if a := do(t, method, other, strings.NewReader("sound")); a.StatusCode != 404 {
				t.Errorf("%s %s: %s %s", method, name, a.Status, a.body)
			}
		}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PATCH"} {
		if a := do(t, method, session, nil); a.StatusCode != 405 {
			t.Errorf("%s: %s", method, a.Status)
		}
	}
	nothingStored(t, e)
	pre := do(t, "OPTIONS", session, nil, "Origin:https://segue.example", "Access-Control-Request-Method:PUT")
	if pre.StatusCode != 200 || pre.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("preflight: %s %v", pre.Status, pre.Header)
	}
	put := do(t, "PUT", session, strings.NewReader("sound"), "Origin:https://segue.example", "Content-Type:text/html")
	put.want(t, 200, "")
	if !strings.Contains(put.Header.Get("Access-Control-Expose-Headers"), "Range") {
		t.Errorf("a page cannot read %v", put.Header)
	}
	if attrs := stored(t, e, "a", []byte("sound")); attrs.ContentType != flac {
		t.Errorf("the type changed to %s after the session began", attrs.ContentType)
	}
}

func TestBeginningsRefused(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	if _, err := write(t.Context(), client(t, e).Bucket(bucket).Object("there"), []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	u, headers := signedStart(t, e, "a", 5)
	exists, _ := signedStart(t, e, "there", 5)
	do(t, "POST", exists, nil, headers...).want(t, 412, "PreconditionFailed")
	do(t, "POST", u, nil, append([]string{"X-Upload-Content-Length:6"}, headers...)...).want(t, 400, "EntityTooLarge")
	do(t, "POST", u, nil, append([]string{"X-Upload-Content-Length:4"}, headers...)...).want(t, 400, "EntityTooSmall")
	do(t, "POST", u, strings.NewReader("sound"), headers...).want(t, 400, "InvalidArgument")
	do(t, "POST", u, nil, headers[1:]...).want(t, 400, "MalformedSecurityHeader")
	do(t, "POST", u, nil, append([]string{"X-Goog-Resumable:begin"}, headers[1:]...)...).want(t, 403, "SignatureDoesNotMatch")
	do(t, "POST", e.URL()+"/"+bucket+"/a", nil, headers...).want(t, 403, "AccessDenied")
	for _, tt := range []struct {
		query, body string
		header      string
		want        int
	}{
		{"", "", "X-Nothing:", 400},               // no name
		{"", "{", "X-Nothing:", 400},              // not JSON
		{"&name=a%2F%2Fb", "", "X-Nothing:", 400}, // a name that no file can have
		{"&name=a", "", "X-Upload-Content-Length:-1", 400},
		{"&name=a", "", "Authorization:Bearer wrong", 401},
		{"&name=a&ifGenerationMatch=x", "", "X-Nothing:", 400},
		{"&name=there&ifGenerationMatch=0", "", "X-Nothing:", 412},
		{"&name=a", "", "X-Goog-Upload-Protocol:resumable", 501},
	} {
		h := []string{tt.header}
		if !strings.HasPrefix(tt.header, "Authorization") {
			h = append(h, "Authorization:Bearer "+bearer)
		}
		a := do(t, "POST", e.URL()+"/upload/storage/v1/b/"+bucket+"/o?uploadType=resumable"+tt.query, strings.NewReader(tt.body), h...)
		if a.StatusCode != tt.want || a.Header.Get("Location") != "" {
			t.Errorf("%s %s %s: %s %s", tt.query, tt.body, tt.header, a.Status, a.body)
		}
	}
}

func TestChunksRefused(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	content := noise(t, 2*quantum)
	session := begin(t, e, "a", len(content))
	send(t, session, content, 0, quantum, len(content)).holds(t, quantum)
	tests := []struct {
		name, contentRange string
		body               io.Reader
		status             int
		code               string
	}{
		{"malformed", "bytes=0-4/5", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"no unit", "0-4/5", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"negative", "bytes -1-4/5", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"overflow", "bytes 0-4/99999999999999999999", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"backwards", "bytes 4-0/5", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"beyond its total", "bytes 262144-262148/262147", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"another total", "bytes 262144-262148/262149", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"beyond the declared total", "bytes 524286-524290/*", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"less body than range", "bytes 262144-524287/*", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"more body than range", "bytes 262144-262144/*", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"more body, of no declared length", "bytes 262144-262144/*", io.MultiReader(strings.NewReader("sound")), 400, "InvalidArgument"},
		{"a question with a body", "bytes */*", strings.NewReader("sound"), 400, "InvalidArgument"},
		{"whole object of another length", "", strings.NewReader("sound"), 400, "InvalidArgument"},
	}
	for _, tt := range tests {
		header := "X-Nothing:"
		if tt.contentRange != "" {
			header = "Content-Range:" + tt.contentRange
		}
		a := do(t, "PUT", session, tt.body, header)
		if a.StatusCode != tt.status || !strings.Contains(a.body, tt.code) {
			t.Errorf("%s: %s %s", tt.name, a.Status, a.body)
		}
		ask(t, session, "*").holds(t, quantum)
	}
	// A gap is told in plain text, as production does.
	gap := send(t, session, content, quantum+1, len(content), len(content))
	if gap.StatusCode != 503 || !strings.HasPrefix(gap.Header.Get("Content-Type"), "text/plain") || gap.body !=
		"Invalid request.  According to the Content-Range header, the upload offset is 262145 byte(s), which exceeds already uploaded size of 262144 byte(s)." {
		t.Errorf("gap: %s %v %s", gap.Status, gap.Header, gap.body)
	}
	// A length that the signature does not allow is refused before it is sent.
	other := begin(t, e, "b", 5)
	do(t, "PUT", other, strings.NewReader("sounds")).want(t, 400, "EntityTooLarge")
	do(t, "PUT", other, strings.NewReader("soun")).want(t, 400, "EntityTooSmall")
	do(t, "PUT", other, strings.NewReader("sounds"), "Content-Range:bytes 0-5/*").want(t, 400, "EntityTooLarge")
	for _, header := range []string{"X-Nothing:", "Content-Range:bytes 0-*/*"} {
		// The reader gives one byte at a time: some are written before the last.
		body := io.MultiReader(iotest.OneByteReader(strings.NewReader("noises")))
		do(t, "PUT", other, body, header).want(t, 400, "EntityTooLarge")
		ask(t, other, "*").holds(t, 0)
	}
	ask(t, other, 0).want(t, 400, "EntityTooSmall")
	nothingStored(t, e)
	do(t, "PUT", other, io.MultiReader(strings.NewReader("sound")), "Content-Range:bytes 0-*/*").want(t, 200, "")
	stored(t, e, "b", []byte("sound"))
}

func TestBytesHeldAlreadyAreSkipped(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	content := noise(t, 4*quantum)
	session := begin(t, e, "a", len(content))
	send(t, session, content, 0, 2*quantum, "*").holds(t, 2*quantum)
	send(t, session, make([]byte, len(content)), 0, quantum, "*").holds(t, 2*quantum)
	overlap := bytes.Clone(content)
	clear(overlap[:2*quantum])
	send(t, session, overlap, quantum, 3*quantum, "*").holds(t, 3*quantum)
	do(t, "PUT", session, bytes.NewReader(overlap)).want(t, 200, "")
	stored(t, e, "a", content)
}

func TestOfAnUnevenChunkOnlyWhole256KiBAreKept(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	content := noise(t, 2*quantum+9)
	session := begin(t, e, "a", len(content))
	send(t, session, content, 0, 5, "*").holds(t, 0)
	send(t, session, content, 0, quantum+5, "*").holds(t, quantum)
	send(t, session, content, quantum, 2*quantum+8, len(content)).holds(t, 2*quantum)
	// With the length known, the last chunk is known without its being told.
	send(t, session, content, 2*quantum, len(content), "*").want(t, 200, "")
	stored(t, e, "a", content)
}

func TestAQuestionCommitsOnlyWhatIsWhole(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	content := noise(t, 2*quantum)
	session := beginJSON(t, e, "&name=a", "").Header.Get("Location")
	send(t, session, content, 0, quantum, "*").holds(t, quantum)
	send(t, session, content, quantum, 2*quantum, "*").holds(t, 2*quantum)
	for _, total := range []any{"*", 0, quantum, 2*quantum - 1, 2*quantum + 1} {
		ask(t, session, total).holds(t, 2*quantum)
	}
	do(t, "PUT", session, nil).holds(t, 2*quantum)
	nothingStored(t, e)
	ask(t, session, 2*quantum).want(t, 200, "")
	stored(t, e, "a", content)
	empty := beginJSON(t, e, "&name=empty", "").Header.Get("Location")
	ask(t, empty, "*").holds(t, 0)
	ask(t, empty, 0).want(t, 200, "")
	stored(t, e, "empty", nil)
	zero := begin(t, e, "zero", 0)
	do(t, "PUT", zero, nil).want(t, 200, "")
	stored(t, e, "zero", nil)
}

// hangUp sends the first n bytes of a request to a session and is gone. It
// returns when the emulator has let go of the connection.
func hangUp(t *testing.T, session, contentRange string, length int, body []byte) {
	t.Helper()
	u, err := url.Parse(session)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nContent-Range: %s\r\n\r\n", u.RequestURI(), u.Host, length, contentRange)
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	reply, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(reply), "HTTP/1.1 503 ") {
		t.Fatalf("answer %q, %v", reply, err)
	}
}
