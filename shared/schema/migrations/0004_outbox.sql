-- Events that are true but may not be published yet. No TTL: the relay empties it.
CREATE TABLE IF NOT EXISTS Outbox (
  Shard       INT64 NOT NULL,
  Minute      TIMESTAMP NOT NULL,
  EventId     STRING(36) NOT NULL,
  Topic       STRING(255) NOT NULL,
  Data        BYTES(MAX) NOT NULL,
  Traceparent STRING(64) NOT NULL,
  CreatedAt   TIMESTAMP NOT NULL,
) PRIMARY KEY (Shard, Minute, EventId);
