package ffmpeg

import (
	"strconv"
	"strings"
)

// id3Genres reads a genre, which may be the number of one, or several of those
// in brackets and a word after them: (51)(39)Noise. A bracket of the word's own
// is doubled.
// https://id3.org/id3v2.3.0, TCON
func id3Genres(v string) (all []string) {
	for strings.HasPrefix(v, "(") && !strings.HasPrefix(v, "((") {
		number, rest, ok := strings.Cut(v[1:], ")")
		name := id3Genre(number)
		if !ok || name == "" {
			return append(all, v)
		}
		all, v = append(all, name), strings.TrimSpace(rest)
	}
	if v = strings.Replace(v, "((", "(", 1); v == "" {
		return all
	}
	if name := id3Genre(v); name != "" {
		v = name
	}
	return append(all, v)
}

// id3Genre is the name of a genre that has a number, or empty.
func id3Genre(number string) string {
	switch number {
	case "RX":
		return "Remix"
	case "CR":
		return "Cover"
	}
	if n, err := strconv.Atoi(number); err == nil && n >= 0 && n < len(numbered) {
		return numbered[n]
	}
	return ""
}

// numbered are ID3v1's genres, and those that Winamp added, as ffmpeg names them
// by now.
var numbered = strings.Split("Blues;Classic Rock;Country;Dance;Disco;Funk;Grunge;Hip-Hop;Jazz;Metal;New Age;Oldies;Other;Pop;R&B;Rap;Reggae;Rock;Techno;Industrial;Alternative;Ska;"+
	"Death Metal;Pranks;Soundtrack;Euro-Techno;Ambient;Trip-Hop;Vocal;Jazz+Funk;Fusion;Trance;Classical;Instrumental;Acid;House;Game;Sound Clip;Gospel;"+
	"Noise;AlternRock;Bass;Soul;Punk;Space;Meditative;Instrumental Pop;Instrumental Rock;Ethnic;Gothic;Darkwave;Techno-Industrial;Electronic;Pop-Folk;"+
	"Eurodance;Dream;Southern Rock;Comedy;Cult;Gangsta;Top 40;Christian Rap;Pop/Funk;Jungle;Native American;Cabaret;New Wave;Psychedelic;Rave;Showtunes;"+
	"Trailer;Lo-Fi;Tribal;Acid Punk;Acid Jazz;Polka;Retro;Musical;Rock & Roll;Hard Rock;Folk;Folk-Rock;National Folk;Swing;Fast Fusion;Bebop;Latin;Revival;"+
	"Celtic;Bluegrass;Avantgarde;Gothic Rock;Progressive Rock;Psychedelic Rock;Symphonic Rock;Slow Rock;Big Band;Chorus;Easy Listening;Acoustic;Humour;"+
	"Speech;Chanson;Opera;Chamber Music;Sonata;Symphony;Booty Bass;Primus;Porn Groove;Satire;Slow Jam;Club;Tango;Samba;Folklore;Ballad;Power Ballad;"+
	"Rhythmic Soul;Freestyle;Duet;Punk Rock;Drum Solo;A Cappella;Euro-House;Dance Hall;Goa;Drum & Bass;Club-House;Hardcore Techno;Terror;Indie;BritPop;"+
	"Afro-Punk;Polsk Punk;Beat;Christian Gangsta Rap;Heavy Metal;Black Metal;Crossover;Contemporary Christian;Christian Rock;Merengue;Salsa;Thrash Metal;"+
	"Anime;Jpop;Synthpop;Abstract;Art Rock;Baroque;Bhangra;Big Beat;Breakbeat;Chillout;Downtempo;Dub;EBM;Eclectic;Electro;Electroclash;Emo;Experimental;"+
	"Garage;Global;IDM;Illbient;Industro-Goth;Jam Band;Krautrock;Leftfield;Lounge;Math Rock;New Romantic;Nu-Breakz;Post-Punk;Post-Rock;Psytrance;Shoegaze;"+
	"Space Rock;Trop Rock;World Music;Neoclassical;Audiobook;Audio Theatre;Neue Deutsche Welle;Podcast;Indie Rock;G-Funk;Dubstep;Garage Rock;Psybient", ";")
