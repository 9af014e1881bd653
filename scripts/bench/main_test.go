package main

import (
	"testing"

	"github.com/segue-audio/segue/emulators/cloudrun"
	"github.com/segue-audio/segue/emulators/emutest"
)

func TestMain(m *testing.M) {
	cloudrun.Child() // the functions' processes are this program again
	emutest.Main(m)
}
