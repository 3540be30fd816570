-- Departures: how tenants, or numbers of theirs, left. `record` is JSON, and nothing secret is in it. `open_of` is the tenant of one
-- that is not over, of which each tenant has one at most. `due_at` is NULL where nobody must work on it, and `ended_at` until it is
-- over. They stay when their tenant is erased.
CREATE TABLE departures (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    open_of    TEXT,
    due_at     INTEGER,
    ended_at   INTEGER,
    version    INTEGER NOT NULL,
    record     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX departures_of_tenant ON departures (tenant_id, id);

CREATE UNIQUE INDEX departures_open ON departures (open_of) WHERE open_of IS NOT NULL;

CREATE INDEX departures_due ON departures (due_at) WHERE due_at IS NOT NULL;

CREATE INDEX departures_ended ON departures (ended_at) WHERE ended_at IS NOT NULL;

-- What of a tenant is leaving: `all`, or ids of numbers with blanks between them; NULL where nothing is.
ALTER TABLE tenants ADD COLUMN leaving TEXT;
