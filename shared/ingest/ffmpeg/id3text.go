package ffmpeg

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// id3Names are what a tag's texts say, by ffprobe's names for them.
type id3Names struct {
	texts  map[string][]string
	people map[string][]string // of its lists of people
}

// id3Texts are the frames that may have several values which matter.
var id3Texts = map[string]string{
	"TPE1": "artist", "TPE2": "album_artist", "TCOM": "composer", "TEXT": "text", "TPE4": "tpe4", "TCON": "genre", "TCOP": "copyright", "TSRC": "tsrc",
}

// id3Own are the names of TXXX that programs agree on.
var id3Own = []string{"performers", "lyricist", "writer", "songwriter", "arranger", "producer", "engineer", "mixer", "remixer", "mixartist", "isrc", "license"}

// id3Roles are the parts in lists of people. They may be any words: those of no
// known part are not credited.
var id3Roles = map[string]string{
	"producer": "producer", "co-producer": "producer", "engineer": "engineer", "recording engineer": "engineer", "mastering engineer": "engineer",
	"mix": "mixer", "mixer": "mixer", "mixing": "mixer", "mixing engineer": "mixer", "arranger": "arranger",
	"composer": "composer", "lyricist": "text", "writer": "writer", "songwriter": "writer", "remixer": "tpe4", "remix": "tpe4",
	"performer": id3Performers, "vocal": id3Performers, "vocals": id3Performers, "instrument": id3Performers, "instruments": id3Performers,
}

// id3Performers is not "performer": that is what ffprobe calls the conductor.
const id3Performers = "performers"

func id3Wanted(id string) bool {
	return id3Texts[id] != "" || id == "TXXX" || id == "TIPL" || id == "IPLS" || id == "TMCL"
}

// add reads a frame's content. Its charset is guessed from the whole of it: a
// value alone may be too short to tell.
func (n id3Names) add(id string, content []byte) {
	values, ok := id3Values(content)
	if !ok {
		return
	}
	for i, v := range values {
		values[i] = strings.ReplaceAll(v, "\n", " ")
	}
	values = strings.Split(recovered(strings.Join(values, "\n")), "\n")
	for i, v := range values {
		values[i] = tidy(v)
	}
	switch id {
	case "TXXX":
		if name := strings.ToLower(values[0]); slices.Contains(id3Own, name) {
			put(n.texts, name, values[1:]...)
		}
	case "TCON":
		for _, v := range values {
			put(n.texts, id3Texts[id], id3Genres(v)...)
		}
	case "TIPL", "IPLS", "TMCL":
		for i := 0; i+1 < len(values); i += 2 {
			n.credit(id, values[i], values[i+1])
		}
	default:
		put(n.texts, id3Texts[id], values...)
	}
}

// credit adds one of a list's people. TMCL names instruments; they are told as
// in Vorbis comments: Name (guitar). A list of version 2.3 mixes them with other
// parts.
func (n id3Names) credit(id, part, name string) {
	key := id3Roles[strings.ToLower(part)]
	if id == "TMCL" && key == "" {
		key = id3Performers
	}
	if key == id3Performers && name != "" && part != "" && !strings.EqualFold(part, "performer") {
		name += " (" + strings.ReplaceAll(part, ";", ",") + ")"
	}
	if key != "" {
		put(n.people, key, name)
	}
}

func put(all map[string][]string, key string, values ...string) {
	for _, v := range values {
		if v != "" && !slices.Contains(all[key], v) && len(all[key]) < maxID3Values {
			all[key] = append(all[key], v)
		}
	}
}

// id3Values decodes a text and splits it at its NULs. "/" is part of names,
// although version 2.3 says that it separates.
// https://id3.org/id3v2.4.0-frames, 4.2
func id3Values(content []byte) ([]string, bool) {
	if len(content) == 0 {
		return nil, false
	}
	encoding, content := content[0], content[1:]
	switch encoding {
	case 0:
		latin := make([]rune, len(content))
		for i, b := range content {
			latin[i] = rune(b)
		}
		return strings.Split(strings.TrimRight(string(latin), "\x00"), "\x00"), true
	case 1, 2:
		return utf16Values(content, encoding == 2)
	case 3:
		return strings.Split(strings.TrimRight(string(content), "\x00"), "\x00"), true
	}
	return nil, false
}

// utf16Values: each may have a byte order mark of its own; the first must, unless
// the order is known. A byte too many at the end is dropped.
func utf16Values(content []byte, big bool) (values []string, ok bool) {
	var order binary.ByteOrder
	if big {
		order = binary.BigEndian
	}
	var value []uint16
	begin := true
	for ; len(content) >= 2; content = content[2:] {
		if mark := [2]byte(content); begin && (mark == [2]byte{0xfe, 0xff} || mark == [2]byte{0xff, 0xfe}) {
			order = binary.BigEndian
			if mark[0] == 0xff {
				order = binary.LittleEndian
			}
			begin = false
			continue
		}
		if order == nil {
			return nil, false
		}
		unit := order.Uint16(content)
		if begin = unit == 0; !begin {
			value = append(value, unit)
			continue
		}
		values, value = append(values, string(utf16.Decode(value))), value[:0]
	}
	values = append(values, string(utf16.Decode(value)))
	for len(values) > 1 && values[len(values)-1] == "" {
		values = values[:len(values)-1]
	}
	return values, true
}
