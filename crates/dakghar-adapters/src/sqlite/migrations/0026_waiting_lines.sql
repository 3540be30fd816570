-- Conversations of which entries wait together for an endpoint, as a JSON list.
ALTER TABLE callback_progress ADD COLUMN waiting TEXT NOT NULL DEFAULT '[]';
