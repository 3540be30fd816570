-- The id under which progress, exceptions and attempts of an endpoint are kept; absent: its own.
ALTER TABLE endpoints ADD COLUMN kept_under TEXT;
