CREATE TABLE IF NOT EXISTS Uploads (
  UploadId       STRING(22) NOT NULL,
  LabelId        STRING(64) NOT NULL,
  Object         STRING(1024) NOT NULL,
  Generation     INT64, -- of the object that was accepted
  Filename       STRING(1024) NOT NULL,
  ContentType    STRING(128) NOT NULL,
  Size           INT64 NOT NULL,
  AllowDuplicate BOOL NOT NULL,
  Metadata       STRING(MAX) NOT NULL, -- JSON, as it came
  Status         STRING(16) NOT NULL, -- waiting, processing, playable, failed, duplicate
  Reason         STRING(MAX) NOT NULL,
  TrackId        STRING(22),
  DuplicateOf    STRING(22),
  ExpiresAt      TIMESTAMP NOT NULL, -- of the upload URL
  CreatedAt      TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  UpdatedAt      TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (UploadId);
