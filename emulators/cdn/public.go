package cdn

import (
	"net/http"
	"strings"
)

// publicPath is where the URL map leads to the bucket that everybody may read.
const publicPath = "/images/"

func (c *CDN) isPublic(rawPath string) bool {
	return c.opts.Images != "" && strings.HasPrefix(rawPath, publicPath)
}

// servePublic answers with an object that needs no signature.
func (c *CDN) servePublic(w http.ResponseWriter, r *http.Request, rawPath string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		answer(w, http.StatusMethodNotAllowed, "images can only be read")
		return
	}
	// A path that might lead elsewhere is refused: what is left begins as it was
	// written.
	name, err := objectName(rawPath)
	if err != nil {
		c.refused.Add(1)
		answer(w, http.StatusForbidden, err.Error())
		return
	}
	if strings.HasSuffix(name, "/") {
		name = "" // a folder's address would list it
	}
	c.serveObject(w, r, place{c.opts.Images, name}, "no-cache")
}
