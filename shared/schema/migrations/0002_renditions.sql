-- An attempt at a rendition owns a folder and a key that nothing else ever uses.
CREATE TABLE IF NOT EXISTS RenditionAttempts (
  TrackId      STRING(22) NOT NULL,
  Format       STRING(8) NOT NULL,
  Bitrate      INT64 NOT NULL,
  AttemptId    STRING(22) NOT NULL,
  State        STRING(16) NOT NULL, -- leased, complete
  LeaseUntil   TIMESTAMP NOT NULL,
  Folder       STRING(64) NOT NULL,
  Cipher       STRING(16) NOT NULL,
  WrappedKey   BYTES(1024) NOT NULL,
  Size         INT64,
  Sha256       BYTES(32), -- of the ciphertext
  HeadSize     INT64,
  EncoderDelay INT64,
  TotalSamples INT64,
  SampleRate   INT64,
  CreatedAt    TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  CompletedAt  TIMESTAMP OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (TrackId, Format, Bitrate, AttemptId),
  INTERLEAVE IN PARENT Tracks ON DELETE CASCADE;

-- The live renditions of a playable track, six or none: all that a stream needs
-- in one row.
CREATE TABLE IF NOT EXISTS Renditions (
  TrackId      STRING(22) NOT NULL,
  Format       STRING(8) NOT NULL,
  Bitrate      INT64 NOT NULL,
  AttemptId    STRING(22) NOT NULL,
  Folder       STRING(64) NOT NULL,
  Cipher       STRING(16) NOT NULL,
  WrappedKey   BYTES(1024) NOT NULL,
  Size         INT64 NOT NULL,
  Sha256       BYTES(32) NOT NULL,
  HeadSize     INT64 NOT NULL,
  EncoderDelay INT64 NOT NULL,
  TotalSamples INT64 NOT NULL,
  SampleRate   INT64 NOT NULL,
  DurationMs   INT64 NOT NULL,
  Markets      ARRAY<STRING(2)> NOT NULL,
  GainDb       FLOAT64,
  Peak         FLOAT64,
  PublishedAt  TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (TrackId, Format, Bitrate),
  INTERLEAVE IN PARENT Tracks ON DELETE CASCADE;

-- Two attempts can never share a folder, whatever draws it.
CREATE UNIQUE INDEX IF NOT EXISTS RenditionAttemptsByFolder ON RenditionAttempts(Folder);
