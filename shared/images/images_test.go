package images

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	link := func(side string, w, h int) Link {
		return Link{URL: "https://img/images/x/" + side + ".jpg", WebPURL: "https://img/images/x/" + side + ".webp", Width: w, Height: h}
	}
	for name, c := range map[string]struct {
		image Image
		want  []Link
	}{
		"none":              {Image{}, []Link{}},
		"large":             {Image{"x", 3000, 2000}, []Link{link("640", 640, 427), link("300", 300, 200), link("64", 64, 43)}},
		"upright":           {Image{"x", 1, 10_000}, []Link{link("640", 1, 640), link("300", 1, 300), link("64", 1, 64)}},
		"between":           {Image{"x", 500, 500}, []Link{link("640", 500, 500), link("300", 300, 300), link("64", 64, 64)}},
		"small":             {Image{"x", 300, 200}, []Link{link("640", 300, 200), link("64", 64, 43)}},
		"smaller than any":  {Image{"x", 64, 64}, []Link{link("640", 64, 64)}},
		"as large as 640":   {Image{"x", 640, 640}, []Link{link("640", 640, 640), link("300", 300, 300), link("64", 64, 64)}},
		"not even one high": {Image{"x", 20_000, 1}, []Link{link("640", 640, 1), link("300", 300, 1), link("64", 64, 1)}},
	} {
		if diff := cmp.Diff(c.want, c.image.Links("https://img")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	// By this name the objects of earlier runs are found.
	if got := ID([]byte("picture")); got != "b8ca09bb90302871eb705d49544f6ade6c578e57" {
		t.Errorf("the id is %s", got)
	}
	if ID([]byte("a")) == ID([]byte("b")) || strings.ToLower(ID(nil)) != ID(nil) {
		t.Error("ids do not tell pictures apart")
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://img.example.org/": "https://img.example.org", "http://127.0.0.1:8081": "http://127.0.0.1:8081", "https://cdn.example.org/a/": "https://cdn.example.org/a",
		"": "!", "img.example.org": "!", "/images": "!", "ftp://x": "!", "https://x/?a": "!", "https://x/#a": "!",
	} {
		c := Config{URL: url}
		if err := c.Validate(); (err != nil) != (want == "!") || (err == nil && c.URL != want) {
			t.Errorf("%q: %q, %v", url, c.URL, err)
		}
	}
}
