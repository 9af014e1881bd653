-- The W3C trace context of the request that announced the upload: the file goes
-- to storage directly, and storage's notification carries none.
ALTER TABLE Uploads ADD COLUMN IF NOT EXISTS Traceparent STRING(64);
