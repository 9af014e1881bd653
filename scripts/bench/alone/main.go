// Command alone is one function as it is deployed: alone under the Functions
// Framework, in a program that links no other. scripts/bench measures it.
//
// On SIGUSR1 it collects its garbage and writes to its fourth file what is then
// alive. Deployed functions have no such thing.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/metrics"
	"syscall"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	_ "github.com/segue-audio/segue/functions/playback/stream"
)

func main() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go tell(asked, os.NewFile(3, "heap"))
	if err := funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")); err != nil {
		fmt.Fprintln(os.Stderr, "alone:", err)
		os.Exit(1)
	}
}

// tell answers each signal with a line: live bytes, and goroutines.
func tell(asked <-chan os.Signal, to io.Writer) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for range asked {
		runtime.GC()
		metrics.Read(live)
		fmt.Fprintln(to, live[0].Value.Uint64(), runtime.NumGoroutine())
	}
}
