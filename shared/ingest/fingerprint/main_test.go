package fingerprint

import (
	"testing"

	"github.com/segue-audio/segue/emulators/emutest"
)

func TestMain(m *testing.M) { emutest.Main(m) }
