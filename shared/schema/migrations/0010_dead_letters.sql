-- Messages that no delivery got done, as ops-deadletter finds them on the
-- dead-letter topic. A row that was replayed goes after a quarter of a year; one
-- that waits for an operator never does.
CREATE TABLE IF NOT EXISTS DeadLetters (
  DeadLetterId  STRING(22) NOT NULL,    -- follows from the message: it is stored once
  Function      STRING(255) NOT NULL,   -- empty: the message does not tell
  Topic         STRING(255) NOT NULL,   -- where a replay goes; empty: it does not tell
  Subscription  STRING(512) NOT NULL,
  MessageId     STRING(1024) NOT NULL,  -- on the dead-letter topic
  EventId       STRING(1024) NOT NULL,  -- ours; empty: a bucket's notification
  Data          BYTES(MAX) NOT NULL,
  Attributes    STRING(MAX) NOT NULL,   -- JSON, all of them, Pub/Sub's own too
  DeliveryCount INT64,                  -- NULL: it does not tell
  Error         STRING(MAX) NOT NULL,   -- of the last failed delivery; empty: unknown
  FailedAt      TIMESTAMP,              -- when that was
  TraceId       STRING(32) NOT NULL,    -- leads to the logs
  PublishedAt   TIMESTAMP,              -- to its own topic
  UploadId      STRING(22),             -- whose upload waits for it
  ReplayOf      STRING(22),             -- the dead letter whose replay this one was
  FirstSeen     TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  ReplayedAt    TIMESTAMP OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (DeadLetterId),
  ROW DELETION POLICY (OLDER_THAN(ReplayedAt, INTERVAL 90 DAY));

-- For the operator's list. Its end is a hot spot, of what is rare.
CREATE INDEX IF NOT EXISTS DeadLettersByTime ON DeadLetters(FirstSeen DESC);

CREATE NULL_FILTERED INDEX IF NOT EXISTS DeadLettersByUpload ON DeadLetters(UploadId) STORING (Topic, ReplayedAt);

-- Why a delivery failed, which Pub/Sub does not pass on: the last error of each
-- message on each subscription, for as long as it can still become a dead letter.
CREATE TABLE IF NOT EXISTS DeliveryFailures (
  DeliveryId STRING(22) NOT NULL, -- follows from the subscription and the message
  Function   STRING(64) NOT NULL,
  Error      STRING(MAX) NOT NULL,
  TraceId    STRING(32) NOT NULL,
  FailedAt   TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (DeliveryId),
  ROW DELETION POLICY (OLDER_THAN(FailedAt, INTERVAL 15 DAY));

-- Where ingest-cleanup goes on: it walks all of a bucket or a table, over as many
-- days as that takes.
CREATE TABLE IF NOT EXISTS CleanupCursors (
  Step      STRING(32) NOT NULL,
  Position  STRING(MAX) NOT NULL, -- empty: from the beginning
  UpdatedAt TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (Step);

-- By these ingest-cleanup finds out whether a row leads to an object.
CREATE UNIQUE INDEX IF NOT EXISTS RenditionsByFolder ON Renditions(Folder);
CREATE NULL_FILTERED INDEX IF NOT EXISTS AlbumsByCover ON Albums(CoverId);
CREATE NULL_FILTERED INDEX IF NOT EXISTS UploadsByImage ON Uploads(ImageId);
