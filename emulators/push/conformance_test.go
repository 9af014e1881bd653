package push

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/segue-audio/segue/emulators/part"
	"github.com/segue-audio/segue/functions"
)

// body is what Pub/Sub posts in production.
type body struct {
	DeliveryAttempt int    `json:"deliveryAttempt"`
	Subscription    string `json:"subscription"`
	Message         struct {
		Attributes  map[string]string `json:"attributes"`
		Data        []byte            `json:"data"`
		MessageID   string            `json:"messageId"`
		PublishTime time.Time         `json:"publishTime"`
	} `json:"message"`
}

type delivery struct {
	request *http.Request
	body    body
}

func read(t *testing.T, r *http.Request) delivery {
	d := delivery{request: r}
	if err := json.NewDecoder(r.Body).Decode(&d.body); err != nil {
		t.Error(err)
	}
	// The server notices that its caller has hung up only once all is read.
	_, _ = io.Copy(io.Discard, r.Body)
	return d
}

func TestPushArrivesAsInProduction(t *testing.T) {
	t.Parallel()
	deliveries := make(chan delivery, 10)
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { deliveries <- read(t, r) })
	attributes := map[string]string{"eventType": "OBJECT_FINALIZE", "objectId": "a/b"}
	id := w.publish(t, "sound", attributes)
	d := receive(t, deliveries)
	if want := "/projects/" + w.project + "/topics/upload-finalized"; d.request.Method != http.MethodPost || d.request.URL.Path != want {
		t.Errorf("%s %s, want POST %s", d.request.Method, d.request.URL.Path, want)
	}
	token, bearer := strings.CutPrefix(d.request.Header.Get("Authorization"), "Bearer ")
	if err := w.issuer.VerifyServiceToken(token, w.url); err != nil || !bearer {
		t.Errorf("Authorization = %q: %v", d.request.Header.Get("Authorization"), err)
	}
	m := d.body.Message
	if d.body.DeliveryAttempt != 1 || d.body.Subscription != "projects/"+w.project+"/subscriptions/ingest-probe.upload-finalized" ||
		m.MessageID != id || string(m.Data) != "sound" || !maps.Equal(m.Attributes, attributes) || m.PublishTime.IsZero() {
		t.Errorf("body = %+v", d.body)
	}
	w.acknowledged(t)
}

func TestFailureIsRetriedAndCounted(t *testing.T) {
	t.Parallel()
	deliveries := make(chan delivery, 10)
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		d := read(t, r)
		deliveries <- d
		if d.body.DeliveryAttempt < 2 {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	})
	id := w.publish(t, "sound", nil)
	for attempt := 1; attempt <= 2; attempt++ {
		if d := receive(t, deliveries); d.body.DeliveryAttempt != attempt || d.body.Message.MessageID != id {
			t.Errorf("delivery %d = %+v", attempt, d.body)
		}
	}
	w.acknowledged(t)
}

func TestFunctionOverItsTimeoutIsCutAndRetried(t *testing.T) {
	t.Parallel()
	cut, attempts := make(chan struct{}, 10), make(chan int, 10)
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		d := read(t, r)
		attempts <- d.body.DeliveryAttempt
		if d.body.DeliveryAttempt == 1 {
			<-r.Context().Done()
			cut <- struct{}{}
		}
	}, func(f *functions.Function, _ *Options) { f.Timeout = 300 * time.Millisecond })
	w.publish(t, "sound", nil)
	if first := receive(t, attempts); first != 1 {
		t.Errorf("first attempt is counted as %d", first)
	}
	receive(t, cut)
	if second := receive(t, attempts); second != 2 {
		t.Errorf("second attempt is counted as %d", second)
	}
	w.acknowledged(t)
}

func TestFrameworkMakesCloudEventOfPush(t *testing.T) {
	t.Parallel()
	port, err := part.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), frameworkPort+"="+strconv.Itoa(port), "FUNCTION_TARGET=ingest-probe")
	out, lines := io.Pipe()
	process, err := part.StartProcess("ingest-probe", lines, cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = out.Close()
		_ = process.Stop(t.Context())
	})
	events := make(chan cloudevents.Event, 10)
	go func() {
		for decoder := json.NewDecoder(out); ; {
			var e cloudevents.Event
			if decoder.Decode(&e) != nil {
				return
			}
			events <- e
		}
	}()
	// Should the function not listen yet, Pub/Sub tries again.
	w := newWorldAt(t, "http://127.0.0.1:"+strconv.Itoa(port))
	id := w.publish(t, "sound", map[string]string{"objectId": "a/b"})
	e := receive(t, events)
	if e.Type() != "google.cloud.pubsub.topic.v1.messagePublished" || e.ID() != id ||
		e.Source() != "//pubsub.googleapis.com/projects/"+w.project+"/topics/upload-finalized" {
		t.Errorf("event = %v", e)
	}
	var data struct {
		Message struct {
			Data       []byte
			Attributes map[string]string
		}
	}
	if err := e.DataAs(&data); err != nil {
		t.Fatal(err)
	}
	if string(data.Message.Data) != "sound" || data.Message.Attributes["objectId"] != "a/b" {
		t.Errorf("data = %s", e.Data())
	}
	w.acknowledged(t)
}
