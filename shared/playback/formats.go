// Package playback holds what ingest and the player's functions must agree on:
// which renditions a track has, how their bytes are sealed, how their keys are
// wrapped and how their addresses are signed. It decides nothing about who may
// play what, and it never carries audio to a client.
package playback

import (
	"fmt"
	"strconv"
	"strings"
)

// Format is the codec and container of a rendition, as clients name it.
type Format string

// The formats every track is published in.
const (
	// Ogg is Vorbis in Ogg.
	Ogg Format = "ogg"
	// AAC is AAC-LC in fragmented MP4.
	AAC Format = "aac"
)

// MIMEType is what a browser's MediaSource and audio element are given; it is
// empty for a format that does not exist.
func (f Format) MIMEType() string {
	switch f {
	case Ogg:
		return `audio/ogg; codecs="vorbis"`
	case AAC:
		return `audio/mp4; codecs="mp4a.40.2"`
	default:
		return ""
	}
}

// ParseFormat accepts exactly the names of the formats.
func ParseFormat(s string) (Format, error) {
	for _, f := range formats() {
		if s == string(f) {
			return f, nil
		}
	}
	return "", fmt.Errorf("format %q is not known: use %s", s, oneOf(formats()))
}

// Quality is a nominal bitrate in kbit/s: encoders are asked for it and vary
// around it.
type Quality int

// The qualities every format is published in.
const (
	Low    Quality = 96
	Medium Quality = 160
	High   Quality = 320
)

func (q Quality) String() string { return strconv.Itoa(int(q)) }

// ParseQuality accepts exactly the decimal figures of the qualities.
func ParseQuality(s string) (Quality, error) {
	for _, q := range qualities() {
		if s == q.String() {
			return q, nil
		}
	}
	return 0, fmt.Errorf("quality %q is not known: use %s", s, oneOf(qualities()))
}

// Rendition is one encoding of a track.
type Rendition struct {
	Format  Format
	Bitrate Quality
}

func (r Rendition) String() string { return string(r.Format) + "/" + r.Bitrate.String() }

// Validate says whether the rendition is one of those that tracks have.
func (r Rendition) Validate() error {
	if _, err := ParseFormat(string(r.Format)); err != nil {
		return err
	}
	_, err := ParseQuality(r.Bitrate.String())
	return err
}

// Renditions lists all that a playable track has, always in the same order:
// by format, then by rising bitrate.
func Renditions() []Rendition {
	all := make([]Rendition, 0, len(formats())*len(qualities()))
	for _, f := range formats() {
		for _, q := range qualities() {
			all = append(all, Rendition{Format: f, Bitrate: q})
		}
	}
	return all
}

func formats() []Format { return []Format{Ogg, AAC} }

func qualities() []Quality { return []Quality{Low, Medium, High} }

// oneOf writes "a, b or c".
func oneOf[T any](allowed []T) string {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = fmt.Sprint(a)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
