-- What ingest-analyze measured of a track's sound. One row a track: a newer
-- version of the analysis replaces an older one.
CREATE TABLE IF NOT EXISTS TrackAnalyses (
  TrackId         STRING(22) NOT NULL,
  Version         INT64 NOT NULL,     -- of the analysis that made the row
  IntegratedLufs  FLOAT64,            -- EBU R 128; NULL: too quiet to measure
  LoudnessRange   FLOAT64 NOT NULL,   -- LU
  TruePeakDb      FLOAT64,            -- dBTP; NULL: digital silence
  GainDb          FLOAT64 NOT NULL,   -- to -14 LUFS, no higher than -1 dBTP allows
  Waveform        BYTES(800) NOT NULL, -- 800 peaks, 255 is full scale
  TempoBpm        FLOAT64,            -- NULL: no beat was found
  TempoConfidence FLOAT64 NOT NULL,   -- 0 to 1
  KeyTonic        INT64,              -- 0 is C, 11 is B; NULL: no key was found
  KeyMode         INT64,              -- 1 is major, 0 is minor
  KeyConfidence   FLOAT64 NOT NULL,   -- 0 to 1
  Energy          FLOAT64 NOT NULL,   -- 0 to 1
  Brightness      FLOAT64 NOT NULL,   -- 0 to 1
  LogMel          BYTES(MAX) NOT NULL, -- as shared/ingest/analysis lays it out
  AnalyzedAt      TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (TrackId),
  INTERLEAVE IN PARENT Tracks ON DELETE CASCADE;

CREATE INDEX IF NOT EXISTS TrackAnalysesByVersion ON TrackAnalyses(Version);
