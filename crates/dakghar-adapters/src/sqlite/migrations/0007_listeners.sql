-- The processes that take Meta's webhooks: until when each is known to have listened, and its latest gap.
CREATE TABLE listeners (
    process     TEXT PRIMARY KEY,
    heard_until INTEGER NOT NULL,
    gap_from    INTEGER,
    gap_until   INTEGER,
    has_ended   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
