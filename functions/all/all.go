// Package all links every function into one program: the local gateway, and the
// tests that compare them with the manifest. A deployed function links itself
// alone.
package all

import (
	// Each registers itself.
	_ "github.com/segue-audio/segue/functions/catalog/browse"
	_ "github.com/segue-audio/segue/functions/catalog/invalidate"
	_ "github.com/segue-audio/segue/functions/ingest/analyze"
	_ "github.com/segue-audio/segue/functions/ingest/cleanup"
	_ "github.com/segue-audio/segue/functions/ingest/probe"
	_ "github.com/segue-audio/segue/functions/ingest/publish"
	_ "github.com/segue-audio/segue/functions/ingest/transcode"
	_ "github.com/segue-audio/segue/functions/ingest/upload"
	_ "github.com/segue-audio/segue/functions/ops/deadletter"
	_ "github.com/segue-audio/segue/functions/ops/relay"
	_ "github.com/segue-audio/segue/functions/playback/stream"
)
