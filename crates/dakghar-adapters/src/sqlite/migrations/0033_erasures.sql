-- Erasures of people. `record` is JSON and names nobody: the person is sealed in it for as long as the erasure needs work.
CREATE TABLE erasures (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    needs_work INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    record     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX erasures_of_tenant ON erasures (tenant_id, id);

CREATE INDEX erasures_due ON erasures (updated_at) WHERE needs_work = 1;
