package publish

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

func TestMain(m *testing.M) { ingesttest.Main(m) }

// die runs a function in a process that ends at a point of its work.
func die(t *testing.T, environment []string, function string, m proto.Message, attributes map[string]string, point string) {
	t.Helper()
	ingesttest.Die(t, environment, function, m, attributes, point)
}
