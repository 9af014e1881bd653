package demo

import (
	"os"
	"testing"

	"github.com/segue-audio/segue/emulators/emutest/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m.Run)) }
