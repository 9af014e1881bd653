package leak_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/segue-audio/segue/emulators/emutest/leak"
	"github.com/segue-audio/segue/shared/telemetry"
)

const leakVariable = "SEGUE_TEST_LEAK"

// TestMain makes of the test's program one that prints, or logs, a line.
func TestMain(m *testing.M) {
	switch line := os.Getenv(leakVariable); os.Getenv(leakVariable + "_BY") {
	case "stdout":
		os.Exit(leak.Main(func() int { fmt.Println(line); return 0 }))
	case "stderr":
		os.Exit(leak.Main(func() int { fmt.Fprint(os.Stderr, line); return 0 }))
	case "slog":
		os.Exit(leak.Main(func() int { slog.Debug("something", "value", line); return 0 }))
	case "failing":
		os.Exit(leak.Main(func() int { fmt.Println(line); return 7 }))
	}
	os.Exit(leak.Main(m.Run))
}

// Put together, so that this file leaks nothing itself.
var (
	jwt       = "eyJ" + "hbGciOiJFUzI1NiJ9.eyJ" + "zdWIiOiJkZW1vIn0.c2lnbmF0dXJl"
	bearer    = "Bear" + "er 0123456789abcdef"
	signature = "Signa" + "ture=AbCdEfGh0123_-4="
	signed    = "https://cdn.test/audio/x/data?URLPrefix=aHR0&Expires=1&KeyName=k&" + signature
	key       = []byte("0123456789abcdef")
	secret    = "Tr0ub4dor&3 <correct horse>"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	var s leak.Secrets
	s.Add("password", secret)
	s.AddKey("content key", key)
	s.AddURL("signed URL", "https://cdn.test/x?Signature=ThisVeryOne")
	for line, kind := range map[string]string{
		"token " + jwt: "[JWT]", `{"authorization":"` + bearer + `"}`: "[bearer token]", "bear" + "er%20AbCdEfGhIj": "[bearer token]",
		signed: "[signature]", "a=" + url.QueryEscape(signed): "[signature]", "https://storage/x?X-Goog-Date=1&X-Goog-" + signature: "[signature]",
		"-----BEGIN " + "PRIVATE KEY-----": "[private key]", "-----BEGIN RSA " + "PRIVATE KEY-----": "[private key]",
		"PUT /b/o?upload_" + "id=0123456789abcdef: EOF": "[upload session]",
		"the password is " + secret:                     "[password]", "p=" + url.QueryEscape(secret): "[password]",
		"key=" + base64.StdEncoding.EncodeToString(key): "[content key]", "key=" + base64.RawURLEncoding.EncodeToString(key): "[content key]",
		fmt.Sprintf("key %x", key): "[content key]", fmt.Sprintf("key %X", key): "[content key]", fmt.Sprintf("key %v", key): "[content key]",
		"only its signature: ThisVeryOne": "[signed URL]",
	} {
		err := s.Check(line)
		if err == nil || !strings.Contains(err.Error(), kind) {
			t.Errorf("%q: %v, want %s", line, err, kind)
		}
		for _, raw := range []string{jwt, bearer, "AbCdEfGh", "correct", "0123456789abcdef", "ThisVeryOne", fmt.Sprintf("%x", key)} {
			if err != nil && strings.Contains(err.Error(), raw) {
				t.Errorf("the finding shows the secret: %v", err)
			}
		}
	}
	for _, line := range []string{
		"", "request method=GET path=/v1/tracks/x status=200", "WWW-Authenticate: Bearer realm", "no Signature= and no X-Goog-Signature=",
		"-----BEGIN PUBLIC KEY-----", "Authorization: Bearer", `{"trace":"projects/p/traces/0af7651916cd43dd8448eb211c80319c"}`, "the bearer of news", "upload_id=",
	} {
		if err := s.Check(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// As our own logger writes it, a secret is found too.
func TestOurLogger(t *testing.T) {
	t.Parallel()
	var s leak.Secrets
	s.Add("password", secret)
	s.AddKey("content key", key)
	for _, value := range []any{secret, errors.New("failed with " + secret), key, signed, url.Error{Op: "Get", URL: signed, Err: errors.New("EOF")}} {
		var b bytes.Buffer
		telemetry.NewLogger(&b, "", slog.LevelDebug).Debug("a line", "value", value)
		if s.Scan(&b) == nil {
			t.Errorf("not found: %T %v", value, value)
		}
	}
}

func TestScanNamesTheLine(t *testing.T) {
	t.Parallel()
	var s leak.Secrets
	err := s.Scan(strings.NewReader("one\ntwo\nthree " + jwt + "\nfour\nfive " + bearer))
	if err == nil || !strings.Contains(err.Error(), "line 3: a secret is logged: three [JWT]") || !strings.Contains(err.Error(), "line 5: ") {
		t.Errorf("%v", err)
	}
	if err := s.Scan(strings.NewReader("one\ntwo\n")); err != nil {
		t.Error(err)
	}
}

func TestWriterSeesWholeLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := leak.NewWriter(new(leak.Secrets), &out)
	text := "before\n" + jwt + " in pieces\nlast " + bearer
	for _, c := range []byte(text) {
		if _, err := w.Write([]byte{c}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Err(); err == nil || strings.Count(err.Error(), "a secret is logged") != 2 || out.String() != text {
		t.Errorf("%v; passed on %d of %d bytes", err, out.Len(), len(text))
	}
}

// A package whose tests leak fails, however it leaks; one that fails anyway
// keeps its status.
func TestMainFailsThePackage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		by, line string
		status   int
	}{
		{"stdout", jwt, 1},
		{"stderr", signed, 1},
		{"slog", bearer, 1},
		{"stdout", "nothing secret", 0},
		{"slog", "nothing secret", 0},
		{"failing", "nothing secret", 7},
		{"failing", jwt, 7},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", leakVariable+"="+tt.line, leakVariable+"_BY="+tt.by)
		out, _ := cmd.CombinedOutput()
		if status := cmd.ProcessState.ExitCode(); status != tt.status || (strings.Contains(string(out), "a secret is logged") != (tt.line != "nothing secret")) {
			t.Errorf("%s %q: %d", tt.by, strings.SplitN(tt.line, ".", 2)[0], status)
		}
		if tt.by != "slog" && !strings.Contains(string(out), tt.line) {
			t.Errorf("%s: what was printed is lost", tt.by)
		}
	}
}
