-- The catalogue graph. Names are found again by their folded form (catalog.Fold)
-- within a label, so that an artist or an album is never doubled.

CREATE TABLE IF NOT EXISTS Artists (
  ArtistId  STRING(22) NOT NULL,
  LabelId   STRING(64) NOT NULL,
  Name      STRING(1000) NOT NULL,
  NameKey   STRING(1000) NOT NULL,
  CreatedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  UpdatedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (ArtistId);

CREATE UNIQUE INDEX IF NOT EXISTS ArtistsByName ON Artists(LabelId, NameKey);

CREATE TABLE IF NOT EXISTS Albums (
  AlbumId              STRING(22) NOT NULL,
  LabelId              STRING(64) NOT NULL,
  Name                 STRING(1000) NOT NULL,
  NameKey              STRING(1000) NOT NULL,
  ArtistKey            BYTES(32) NOT NULL,     -- SHA-256 of the folded names of its artists
  AlbumType            STRING(16) NOT NULL,   -- album or single
  ReleaseDate          STRING(10) NOT NULL,   -- YYYY, YYYY-MM or YYYY-MM-DD
  ReleaseDatePrecision STRING(5) NOT NULL,
  LabelName            STRING(1000) NOT NULL,
  Copyrights           ARRAY<STRING(MAX)> NOT NULL,
  Genres               ARRAY<STRING(200)> NOT NULL,
  CreatedAt            TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  UpdatedAt            TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (AlbumId);

CREATE UNIQUE INDEX IF NOT EXISTS AlbumsByName ON Albums(LabelId, ArtistKey, NameKey);

CREATE TABLE IF NOT EXISTS AlbumArtists (
  AlbumId  STRING(22) NOT NULL,
  Position INT64 NOT NULL,
  ArtistId STRING(22) NOT NULL,
  Name     STRING(1000) NOT NULL, -- as credited on this album
) PRIMARY KEY (AlbumId, Position),
  INTERLEAVE IN PARENT Albums ON DELETE CASCADE;

-- Playable tracks only: publish adds a track when its renditions are complete.
CREATE TABLE IF NOT EXISTS AlbumTracks (
  AlbumId     STRING(22) NOT NULL,
  DiscNumber  INT64 NOT NULL,
  TrackNumber INT64 NOT NULL,
  TrackId     STRING(22) NOT NULL,
) PRIMARY KEY (AlbumId, DiscNumber, TrackNumber, TrackId),
  INTERLEAVE IN PARENT Albums ON DELETE CASCADE;

CREATE TABLE IF NOT EXISTS Tracks (
  TrackId          STRING(22) NOT NULL,
  LabelId          STRING(64) NOT NULL,
  AlbumId          STRING(22) NOT NULL,
  UploadId         STRING(22) NOT NULL,
  State            STRING(16) NOT NULL, -- processing, playable or failed
  Title            STRING(1000) NOT NULL,
  DiscNumber       INT64 NOT NULL,
  TrackNumber      INT64 NOT NULL,
  DurationMs       INT64 NOT NULL,
  Explicit         BOOL NOT NULL,
  Isrc             STRING(12) NOT NULL,
  Markets          ARRAY<STRING(2)> NOT NULL, -- empty: everywhere
  SourceSha256     BYTES(32) NOT NULL,
  SourceSamples    INT64 NOT NULL,
  SourceSampleRate INT64 NOT NULL,
  GainDb           FLOAT64, -- NULL until measured
  Peak             FLOAT64,
  CreatedAt        TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  UpdatedAt        TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (TrackId);

CREATE INDEX IF NOT EXISTS TracksBySource ON Tracks(LabelId, SourceSha256) STORING (State);

CREATE TABLE IF NOT EXISTS Credits (
  TrackId  STRING(22) NOT NULL,
  Role     STRING(32) NOT NULL, -- main_artist, composer, lyricist, producer …
  Position INT64 NOT NULL, -- within the role
  Name     STRING(1000) NOT NULL, -- as credited on this track
  ArtistId STRING(22), -- always set for a main_artist
) PRIMARY KEY (TrackId, Role, Position),
  INTERLEAVE IN PARENT Tracks ON DELETE CASCADE;
