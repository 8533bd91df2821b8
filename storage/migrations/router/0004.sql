-- What a message was sent with. A file belongs to one message at most, and goes when the message is deleted.
ALTER TABLE message ADD COLUMN file TEXT;       -- the id of its upload
ALTER TABLE message ADD COLUMN file_info BLOB   -- msgpack of FileInfo, of what never changes in it
    CHECK ((file IS NULL) = (file_info IS NULL) AND (deleted = 0 OR file IS NULL));
CREATE UNIQUE INDEX message_by_file ON message (file) WHERE file IS NOT NULL;
