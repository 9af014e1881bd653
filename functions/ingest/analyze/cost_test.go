package analyze

import (
	"syscall"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/ingest/ingesttest"
)

// cpu is what this process and its children have used so far.
func cpu(b *testing.B) (total time.Duration) {
	b.Helper()
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return total
}

// BenchmarkAnalysis reports what a second of audio costs, ffmpeg's part with
// ours: at most 0.03 CPU seconds.
func BenchmarkAnalysis(b *testing.B) {
	const seconds, rate = 200, 44100
	const source = "aevalsrc=0.2*sin(2*PI*220*t)+0.2*sin(2*PI*277*t)+0.1*random(0)*exp(-9*mod(t\\,0.25))+0.4*exp(-30*mod(t\\,0.5))*sin(2*PI*60*t)|0.2*sin(2*PI*330*t)+0.1*random(1):s=44100:d=200"
	for _, file := range []string{"a.flac", "a.mp3"} {
		b.Run(file, func(b *testing.B) {
			path := ingesttest.Audio(b, source, file)
			b.ResetTimer()
			before := cpu(b)
			for b.Loop() {
				if _, err := measureFile(b.Context(), path, seconds*rate, rate); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N)/seconds, "cpu-s/audio-s")
		})
	}
}
