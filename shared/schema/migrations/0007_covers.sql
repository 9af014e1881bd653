-- An album's cover: the folder of its sizes in the images bucket, and the
-- picture's own width and height, from which the sizes' follow.
ALTER TABLE Albums ADD COLUMN IF NOT EXISTS CoverId STRING(64);
ALTER TABLE Albums ADD COLUMN IF NOT EXISTS CoverWidth INT64;
ALTER TABLE Albums ADD COLUMN IF NOT EXISTS CoverHeight INT64;
ALTER TABLE Albums ADD COLUMN IF NOT EXISTS CoverFrom STRING(16); -- request or tags

-- The same of an upload that is a picture.
ALTER TABLE Uploads ADD COLUMN IF NOT EXISTS ImageId STRING(64);
ALTER TABLE Uploads ADD COLUMN IF NOT EXISTS ImageWidth INT64;
ALTER TABLE Uploads ADD COLUMN IF NOT EXISTS ImageHeight INT64;

-- What was left out of a file that was accepted, in words for its label.
ALTER TABLE Uploads ADD COLUMN IF NOT EXISTS Warnings ARRAY<STRING(MAX)>;
