-- What the running functions know of the keys that wrap content keys: by it an
-- operator's next step is allowed. The keys themselves are in the keyset alone.
CREATE TABLE IF NOT EXISTS KeysetKeys (
  KeyId       INT64 NOT NULL,
  AddedAt     TIMESTAMP, -- NULL: made with the keyset
  DeployedAt  TIMESTAMP, -- since when every instance opens what it wrapped
  PrimaryAt   TIMESTAMP, -- since when every instance wraps with it; NULL: not now
  RewrappedAt TIMESTAMP, -- when all rows were last seen to be under it
) PRIMARY KEY (KeyId);
