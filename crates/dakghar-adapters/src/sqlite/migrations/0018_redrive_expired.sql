-- Whether a redrive also sends again what has expired.
ALTER TABLE redrives ADD COLUMN ignore_expiry INTEGER NOT NULL DEFAULT 0;
