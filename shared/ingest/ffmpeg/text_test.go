package ffmpeg

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// as are the bytes of a text in another encoding.
func as(t *testing.T, e encoding.Encoding, s string) string {
	t.Helper()
	b, err := e.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// said is what ffprobe makes of bytes that a file calls Latin-1.
func said(t *testing.T, raw string) string {
	t.Helper()
	s, err := charmap.ISO8859_1.NewDecoder().String(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestText(t *testing.T) {
	t.Parallel()
	sjis, cp1251, cp1252 := japanese.ShiftJIS, charmap.Windows1251, charmap.Windows1252
	for _, s := range []string{"日本語のテスト", "東京", "さくら", "ソ", "さくら 2024 (Live)", "表示 ポップ", "ﾃｽﾄ日本語", "A さ", "薔薇の歌"} {
		for name, v := range map[string]string{"bytes": as(t, sjis, s), "said to be Latin-1": said(t, as(t, sjis, s)), "UTF-8": s, "UTF-8, said to be Latin-1": said(t, s)} {
			if got := text(v); got != s {
				t.Errorf("%s as %s: %q", s, name, got)
			}
		}
	}
	for name, tt := range map[string]struct{ in, want string }{
		"French":                      {"Café é à la crème", "Café é à la crème"},
		"French bytes":                {"caf\xe9s", "caf\uFFFDs"},
		"German":                      {"ÄÖÜ über Maß", "ÄÖÜ über Maß"},
		"one kanji":                   {as(t, sjis, "歌"), "\uFFFD\uFFFD"},
		"apostrophe of Windows":       {said(t, as(t, cp1252, "Don’t Can’t")), "Don’t Can’t"},
		"quotes of Windows":           {said(t, as(t, cp1252, "“Été” – l’été…")), "“Été” – l’été…"},
		"apostrophe as a byte":        {as(t, cp1252, "Don’t"), "Don\uFFFDt"},
		"controls that are no text":   {"a\u0081b\u0090", "a\u0081b\u0090"},
		"Russian":                     {"Привет, мама", "Привет, мама"},
		"Russian, said to be Latin-1": {said(t, as(t, cp1251, "Привет, мама")), said(t, as(t, cp1251, "Привет, мама"))},
		"Chinese bytes":               {as(t, simplifiedchinese.GBK, "中文歌曲"), "\uFFFD"},
		"EUC-JP bytes":                {as(t, japanese.EUCJP, "さくら"), "\uFFFD"},
		"emoji":                       {"🎵 👩‍🎤", "🎵 👩‍🎤"},
		"Arabic":                      {"فيروز", "فيروز"},
		"Hebrew":                      {"שלום", "שלום"},
		"a path":                      {"../../etc/passwd", "../../etc/passwd"},
		"NULs":                        {"\x00a\x00b\x00", "a b"},
		"cut in the middle":           {as(t, sjis, "さくら")[:5], "\uFFFD"},
		"nothing":                     {"", ""},
	} {
		if got := text(tt.in); got != tt.want && (tt.want != "\uFFFD" || !strings.ContainsRune(got, '\uFFFD')) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	// Windows-1251 as bytes is never taken for Japanese.
	for _, s := range []string{"Привет", "Мама мыла раму", "Катюша", "не", "Ночь, улица, фонарь, аптека"} {
		if got := text(as(t, cp1251, s)); !strings.ContainsRune(got, utf8.RuneError) {
			t.Errorf("%s: %q", s, got)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "\x82", "\x93\x8c\x8b\x9e", "\u0093\u008c\u008b\u009e", "\xe9t\xe9", "\x00", "\U0010ff82", "\x83\x5c\x83"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := text(s); !utf8.ValidString(got) || strings.ContainsRune(got, 0) || strings.TrimSpace(got) != got {
			t.Errorf("%q becomes %q", s, got)
		}
		kept := string(keep([]byte(s)))
		if !utf8.ValidString(kept) {
			t.Errorf("%q is kept as %q", s, kept)
		}
		if !strings.ContainsFunc(s, func(r rune) bool { return r >= private }) && unkeep(kept) != s {
			t.Errorf("%q comes back as %q", s, unkeep(kept))
		}
	})
}
