// Package ingest is the domain of uploads: what a label may send, what becomes
// of it, and how both are stored. The work itself (probe, transcode, publish)
// is in functions/ingest.
package ingest

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/images"
)

// Limits of an upload.
const (
	MaxSize     = 1 << 30 // bytes
	MaxDuration = 2 * time.Hour
	MaxGenre    = 200 // characters
	maxName     = 500 // characters of a name or title
	maxFolded   = 1000
	maxList     = 100
)

// Status is where an upload stands.
type Status string

// The statuses. Failed, Duplicate and Stored are ends, as Playable is.
const (
	Waiting    Status = "waiting"    // for its bytes
	Processing Status = "processing" // accepted, renditions are being made
	Playable   Status = "playable"
	Failed     Status = "failed"
	Duplicate  Status = "duplicate"
	Stored     Status = "stored" // a picture, which tracks may name as their cover
)

// Upload is one file on its way into the catalogue.
type Upload struct {
	ID             string
	LabelID        string
	Object         string // in the uploads bucket
	Generation     int64  // of the accepted object; 0 while waiting
	Filename       string
	ContentType    string
	Size           int64
	AllowDuplicate bool
	Metadata       Metadata
	Status         Status
	Reason         string
	TrackID        string
	DuplicateOf    string
	ExpiresAt      time.Time
	Trace          string // traceparent of the request that announced it
	// Image is what was made of a picture.
	Image images.Image
	// Warnings are what was left out of a file that was accepted, in words.
	Warnings []string
}

// Metadata is what the label says of the track; it goes before the file's tags.
type Metadata struct {
	Title        string           `json:"title,omitempty"`
	Artists      []string         `json:"artists,omitempty"`
	Album        string           `json:"album,omitempty"`
	AlbumArtists []string         `json:"album_artists,omitempty"`
	DiscNumber   int64            `json:"disc_number,omitempty"`
	TrackNumber  int64            `json:"track_number,omitempty"`
	Credits      []catalog.Credit `json:"credits,omitempty"`
	Genres       []string         `json:"genres,omitempty"`
	Label        string           `json:"label,omitempty"`
	Markets      []string         `json:"markets,omitempty"`
	ISRC         string           `json:"isrc,omitempty"`
	Explicit     *bool            `json:"explicit,omitempty"` // nil: as the tags say
	ReleaseDate  string           `json:"release_date,omitempty"`
	Copyrights   []string         `json:"copyrights,omitempty"`
	// Cover is the upload of a picture for the track's album.
	Cover string `json:"cover,omitempty"`
}

// contentTypes are the media types that files of the accepted containers go by.
var contentTypes = []string{
	"audio/flac", "audio/x-flac",
	"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave",
	"audio/mpeg", "audio/mp3",
	"audio/ogg", "application/ogg", "audio/opus", "audio/vorbis",
	"audio/mp4", "audio/m4a", "audio/x-m4a",
}

// pictureTypes are those of pictures; tracks name them as their covers.
var pictureTypes = []string{"image/jpeg", "image/png", "image/webp"}

// IsPicture says whether a picture was announced, not audio.
func (u *Upload) IsPicture() bool { return slices.Contains(pictureTypes, u.ContentType) }

// Check says everything that is wrong with what a client asks to upload.
func (u *Upload) Check() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	u.Filename = path.Base(strings.ReplaceAll(u.Filename, `\`, "/"))
	bad(u.Filename == "." || u.Filename == "/", "filename is empty")
	bad(!utf8.ValidString(u.Filename) || utf8.RuneCountInString(u.Filename) > maxName || strings.ContainsRune(u.Filename, 0), "filename is not text of at most %d characters", maxName)
	bad(!slices.Contains(contentTypes, u.ContentType) && !u.IsPicture(), "content_type %q is none of %s, %s", u.ContentType, strings.Join(contentTypes, ", "), strings.Join(pictureTypes, ", "))
	bad(u.Size < 0, "size is negative")
	bad(u.IsPicture() && u.Size > images.MaxBytes, "size %d is above the limit of a picture, %d bytes (20 MiB)", u.Size, images.MaxBytes)
	bad(u.IsPicture() && u.Metadata.Cover != "", "metadata.cover is of a track, and this is a picture")
	bad(!u.IsPicture() && u.Size > MaxSize, "size %d is above the limit of %d bytes (1 GiB)", u.Size, MaxSize)
	return errors.Join(append(errs, u.Metadata.check()...)...)
}

func (m *Metadata) check() []error {
	var errs []error
	text := func(field string, values ...string) {
		for _, v := range values {
			if !utf8.ValidString(v) || tooLong(v) || strings.ContainsRune(v, 0) {
				errs = append(errs, fmt.Errorf("metadata.%s is not text of at most %d characters", field, maxName))
			}
		}
		if len(values) > maxList {
			errs = append(errs, fmt.Errorf("metadata.%s has more than %d entries", field, maxList))
		}
	}
	names := func(field string, values []string) {
		text(field, values...)
		if slices.ContainsFunc(values, func(s string) bool { return strings.TrimSpace(s) == "" }) {
			errs = append(errs, fmt.Errorf("metadata.%s has an empty entry", field))
		}
	}
	text("title", m.Title)
	text("album", m.Album)
	text("label", m.Label)
	names("artists", m.Artists)
	names("album_artists", m.AlbumArtists)
	names("genres", m.Genres)
	if slices.ContainsFunc(m.Genres, func(s string) bool { return utf8.RuneCountInString(s) > MaxGenre }) {
		errs = append(errs, fmt.Errorf("metadata.genres has an entry of more than %d characters", MaxGenre))
	}
	names("copyrights", m.Copyrights)
	if m.Cover != "" && !id.Valid(m.Cover) {
		errs = append(errs, fmt.Errorf("metadata.cover %q is not the id of an upload", m.Cover))
	}
	for _, c := range m.Credits {
		names("credits.name", []string{c.Name})
		if !slices.Contains(creditRoles, c.Role) {
			errs = append(errs, fmt.Errorf("metadata.credits: role %q is none of %s", c.Role, strings.Join(creditRoles, ", ")))
		}
	}
	if len(m.Credits) > maxList {
		errs = append(errs, fmt.Errorf("metadata.credits has more than %d entries", maxList))
	}
	if m.DiscNumber < 0 || m.TrackNumber < 0 || m.DiscNumber > 9999 || m.TrackNumber > 9999 {
		errs = append(errs, errors.New("metadata.disc_number and track_number are between 1 and 9999"))
	}
	return append(errs, m.checkCodes()...)
}

// tooLong says whether the catalogue cannot hold a name: some ligatures fold
// into as many as 18 characters.
func tooLong(s string) bool {
	return utf8.RuneCountInString(s) > maxName || utf8.RuneCountInString(catalog.Fold(s)) > maxFolded
}

// Cut shortens a name to what the catalogue holds.
func Cut(s string) string {
	if r := []rune(s); len(r) > maxName {
		s = string(r[:maxName])
	}
	for tooLong(s) {
		r := []rune(s)
		s = string(r[:len(r)/2])
	}
	return s
}

// creditRoles are the parts that a credit may name. Main artists are not among
// them: those are in artists.
var creditRoles = []string{"performer", "featured_artist", "composer", "lyricist", "writer", "arranger", "producer", "engineer", "mixer", "remixer"}

// CreditRoles are the roles that a credit may have.
func CreditRoles() []string { return slices.Clone(creditRoles) }

func (m *Metadata) checkCodes() []error {
	var errs []error
	if m.ISRC != "" {
		isrc, err := catalog.ParseISRC(m.ISRC)
		if err != nil {
			errs = append(errs, fmt.Errorf("metadata.isrc: %w", err))
		}
		m.ISRC = isrc
	}
	if m.ReleaseDate != "" {
		if _, err := catalog.ParseDate(m.ReleaseDate); err != nil {
			errs = append(errs, fmt.Errorf("metadata.release_date: %w", err))
		}
	}
	for _, market := range m.Markets {
		if _, err := catalog.ParseMarket(market); err != nil {
			errs = append(errs, fmt.Errorf("metadata.markets: %w", err))
		}
	}
	return errs
}

// Prefix of an upload's object in the uploads bucket; its id follows.
const Prefix = "uploads/"
