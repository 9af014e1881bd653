package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
)

const gpl2 = "GNU General Public License, version 2 or later, https://www.gnu.org/licenses/old-licenses/gpl-2.0.html"

// singularity is the soundtrack of Endgame: Singularity by Max McCracken
// (Maxstack), CC BY-SA 3.0. Its three shortest tracks come first: 43 s, 43 s and
// 104 s.
var singularity = source{pkg: "singularity-music", list: func(_ context.Context, root string) ([]piece, error) {
	const copyright = "2007-2008, 2012 Max McCracken (Maxstack), http://emhsoft.com/singularity; licensed under CC BY-SA 3.0, https://creativecommons.org/licenses/by-sa/3.0/"
	var all []piece
	for i, f := range singularityFiles {
		all = append(all, piece{
			file: filepath.Join(root, "usr/share/games/singularity/music", filepath.FromSlash(f)+".ogg"), contentType: "audio/ogg",
			// The rest is in the files' tags, which have no numbers and no copyright.
			metadata: ingest.Metadata{TrackNumber: int64(i + 1), Copyrights: []string{copyright}, Genres: []string{"soundtrack"}},
		})
	}
	return all, nil
}}

const firstTracks = 3

var singularityFiles = []string{
	"lose/Chimes They Fade", "lose/March Thee to Dis", "win/Apex Aleph", "A New Journey", "Aberrations", "Advanced Simulacra", "Awakening", "By-Product",
	"Coherence", "Deprecation", "Enemy Unknown", "Inevitable", "Media Threat", "Nebula", "Orbital Elevator", "Through Space",
}

// wesnoth is the soundtrack of The Battle for Wesnoth, by several composers,
// under the GPL. Its files are tagged, but for the licence's version; what each
// composer claims is kept as a credit, the album's copyright speaks for all.
var wesnoth = source{pkg: "wesnoth-1.16-music", list: func(ctx context.Context, root string) ([]piece, error) {
	files, err := filepath.Glob(filepath.Join(root, "usr/share/games/wesnoth/*/data/core/music/*.ogg"))
	if err != nil {
		return nil, err
	}
	var all []piece
	for _, f := range files {
		if slices.Contains(jingles, strings.TrimSuffix(filepath.Base(f), ".ogg")) {
			continue
		}
		tags, err := readTags(ctx, f)
		if err != nil {
			return nil, err
		}
		m := ingest.Metadata{
			Album: "The Battle for Wesnoth OST", AlbumArtists: []string{"Wesnoth Project"}, Genres: []string{"soundtrack"},
			Copyrights: []string{"2004-2012 the composers credited on each track and the Wesnoth Project, https://www.wesnoth.org/; licensed under the " + gpl2},
		}
		if composer := tags["composer"]; composer != "" {
			m.Credits = []catalog.Credit{{Name: composer, Role: "composer"}}
		}
		all = append(all, piece{file: f, contentType: "audio/ogg", metadata: m})
	}
	return all, nil
}}

// jingles are no music to listen to: a few seconds, or silence.
var jingles = []string{"defeat", "defeat2", "silence", "victory", "victory2"}

// warzone is the music of Warzone 2100. Its files have no tags: an album.json
// beside them says what they are, a license.txt the licence.
var warzone = source{pkg: "warzone2100-music", list: func(_ context.Context, root string) ([]piece, error) {
	music := filepath.Join(root, "usr/share/games/warzone2100/music")
	albums, err := filepath.Glob(filepath.Join(music, "albums", "*", "album.json"))
	if err != nil {
		return nil, err
	}
	var all []piece
	for _, file := range albums {
		pieces, err := readAlbum(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, pieces...)
	}
	if len(all) == 0 {
		return nil, errors.New("it has no albums")
	}
	return append(all, piece{file: filepath.Join(music, "menu.opus"), contentType: "audio/opus", metadata: ingest.Metadata{
		// In no album, and its composer is not named: the package's copyright is.
		Title: "Menu Theme", Artists: []string{"Warzone 2100 Project"}, Copyrights: []string{warzoneCopyright}, Genres: []string{"soundtrack"},
	}}), nil
}}

const warzoneCopyright = "1999-2004 Eidos Interactive, 2005-2013 Warzone 2100 Project, https://wz2100.net/; licensed under the " + gpl2

// album is Warzone's album.json.
type album struct {
	Title  string `json:"title"`
	Author string `json:"author"`
	Date   string `json:"date"`
	Cover  string `json:"album_cover_filename"`
	Tracks []struct {
		Filename string `json:"filename"`
		Title    string `json:"title"`
		Author   string `json:"author"`
	} `json:"tracks"`
}

func readAlbum(file string) ([]piece, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var a album
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, err
	}
	copyrights, err := readLicence(filepath.Join(filepath.Dir(file), "license.txt"))
	if err != nil {
		return nil, err
	}
	cover, err := a.cover(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	var all []piece
	for i, t := range a.Tracks {
		if t.Filename == "" || filepath.Base(t.Filename) != t.Filename {
			return nil, fmt.Errorf("track %d has the file name %q", i+1, t.Filename)
		}
		all = append(all, piece{file: filepath.Join(filepath.Dir(file), t.Filename), contentType: "audio/opus", cover: cover, metadata: ingest.Metadata{
			Title: t.Title, Artists: []string{t.Author}, Album: a.Title, AlbumArtists: []string{a.Author}, TrackNumber: int64(i + 1), ReleaseDate: a.Date,
			Credits: []catalog.Credit{{Name: t.Author, Role: "composer"}}, Copyrights: copyrights, Genres: []string{"soundtrack"},
		}})
	}
	return all, nil
}

// cover is the file of the album's picture: the one that album.json names, or
// one that is called as covers are.
func (a album) cover(dir string) (string, error) {
	switch {
	case a.Cover == "":
		return client.FindCover(dir)
	case filepath.Base(a.Cover) != a.Cover:
		return "", fmt.Errorf("the cover has the file name %q", a.Cover)
	}
	return filepath.Join(dir, a.Cover), nil
}

// readLicence gives the first paragraphs of license.txt, which name the author
// and the licences; without the file the package's licence holds.
func readLicence(file string) ([]string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return []string{warzoneCopyright}, nil
	}
	if err != nil {
		return nil, err
	}
	text, _, _ := strings.Cut(string(b), "[EN]")
	var all []string
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n\n") {
		if p := strings.Join(strings.Fields(strings.Trim(paragraph, "- \n")), " "); p != "" {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s names no licence", file)
	}
	return all, nil
}
