-- Signups: how numbers were connected. `record` is JSON; the code, the token and the PIN are sealed in it for as long as they
-- are needed. `key_hash` is a keyed hash of the code that a signup began with, or of the secret of the link that leads to it.
-- `due_at` is NULL where nobody must work on it.
CREATE TABLE signups (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    key_hash   BLOB NOT NULL,
    due_at     INTEGER,
    version    INTEGER NOT NULL,
    record     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX signups_of_tenant ON signups (tenant_id, id);

CREATE UNIQUE INDEX signups_of_key ON signups (key_hash);

CREATE INDEX signups_due ON signups (due_at) WHERE due_at IS NOT NULL;

-- The PIN that a number was registered with, sealed; NULL where no signup registered it.
ALTER TABLE phone_numbers ADD COLUMN sealed_pin BLOB;
