-- Acoustic fingerprints, by which a recording is recognised in another file.
CREATE TABLE IF NOT EXISTS Fingerprints (
  TrackId   STRING(22) NOT NULL,
  Version   INT64 NOT NULL,
  Items     BYTES(MAX) NOT NULL, -- little-endian uint32 each
  CreatedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (TrackId),
  INTERLEAVE IN PARENT Tracks ON DELETE CASCADE;

-- Which of a label's tracks have an item in their fingerprint: what a new file's
-- items are looked up in, so that it is compared with few tracks and not with all.
CREATE TABLE IF NOT EXISTS FingerprintTerms (
  LabelId STRING(64) NOT NULL,
  Version INT64 NOT NULL,
  Term    INT64 NOT NULL,
  TrackId STRING(22) NOT NULL,
) PRIMARY KEY (LabelId, Version, Term, TrackId);

-- Which uploads were taken for duplicates of a track: they are told if it fails.
CREATE NULL_FILTERED INDEX IF NOT EXISTS UploadsByDuplicateOf ON Uploads(DuplicateOf);
