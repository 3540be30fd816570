-- What an event changes of a message: an edit has the new type and content, a revocation none.
ALTER TABLE events ADD COLUMN amends TEXT;
ALTER TABLE events ADD COLUMN amended_by TEXT;
ALTER TABLE events ADD COLUMN amended_at INTEGER;
ALTER TABLE events ADD COLUMN revokes INTEGER;
ALTER TABLE events ADD COLUMN new_kind TEXT;
ALTER TABLE events ADD COLUMN new_body TEXT;

CREATE INDEX events_amending ON events (tenant_id, amends, revokes, amended_at, amended_by)
    WHERE amends IS NOT NULL;
