-- Redrives of dead letters by filter. `tenant_id` is empty for the operator's, which are about all tenants; `before_id` is
-- how far it has looked, `pending` the batch under way as JSON, and `needs_work` tells that a process must work on it.
CREATE TABLE redrives (
    id                     TEXT PRIMARY KEY,
    tenant_id              TEXT,
    phone_number_id        TEXT,
    code                   INTEGER,
    reason                 TEXT,
    letter_status          TEXT,
    ended_from             INTEGER,
    ended_to               INTEGER,
    confirm_duplicate_risk INTEGER NOT NULL,
    per_second             INTEGER NOT NULL,
    status                 TEXT NOT NULL,
    before_id              TEXT,
    total                  INTEGER NOT NULL,
    total_is_exact         INTEGER NOT NULL,
    redriven               INTEGER NOT NULL,
    skipped                INTEGER NOT NULL,
    failed                 INTEGER NOT NULL,
    lease_owner            TEXT,
    lease_until            INTEGER,
    created_at             INTEGER NOT NULL,
    updated_at             INTEGER NOT NULL,
    version                INTEGER NOT NULL,
    pending                TEXT NOT NULL,
    needs_work             INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX redrives_of_tenant ON redrives (tenant_id, id);

CREATE INDEX redrives_due ON redrives (needs_work, updated_at);
