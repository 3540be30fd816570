-- Replays of an endpoint, the latest first, as a JSON list.
ALTER TABLE endpoints ADD COLUMN replays TEXT NOT NULL DEFAULT '[]';
