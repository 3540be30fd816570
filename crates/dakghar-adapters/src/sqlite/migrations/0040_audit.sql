-- The audit log: records that are links of a chain. What they are found by is also in their text, which is what is hashed.
CREATE TABLE audit (
    number    INTEGER PRIMARY KEY,
    id        TEXT NOT NULL,
    at        INTEGER NOT NULL,
    tenant_id TEXT,
    actor     TEXT NOT NULL,
    action    TEXT NOT NULL,
    text      TEXT NOT NULL,
    previous  BLOB NOT NULL,
    hash      BLOB NOT NULL
) STRICT;

CREATE INDEX audit_of_tenant ON audit (tenant_id, number) WHERE tenant_id IS NOT NULL;

-- Where the chain begins and ends: one row at most.
CREATE TABLE audit_chain (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    anchor_number INTEGER NOT NULL,
    anchor_hash   BLOB NOT NULL,
    head_number   INTEGER NOT NULL,
    head_hash     BLOB NOT NULL
) STRICT;
