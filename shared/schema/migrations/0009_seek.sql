-- The size of a rendition's seek table; NULL where there is none.
ALTER TABLE RenditionAttempts ADD COLUMN IF NOT EXISTS SeekSize INT64;
ALTER TABLE Renditions ADD COLUMN IF NOT EXISTS SeekSize INT64;
