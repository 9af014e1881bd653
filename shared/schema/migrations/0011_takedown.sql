-- What is taken down keeps its rows: it can be put back. Each rendition says it
-- too, since a stream reads nothing else.
ALTER TABLE Tracks ADD COLUMN IF NOT EXISTS TakenDownAt TIMESTAMP;
ALTER TABLE Renditions ADD COLUMN IF NOT EXISTS TakenDownAt TIMESTAMP;
