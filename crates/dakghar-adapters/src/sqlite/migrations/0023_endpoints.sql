-- Endpoints of tenants. A tenant has as many as there are seats. Headers, secrets and verify tokens are sealed.
CREATE TABLE endpoints (
    id                  TEXT PRIMARY KEY,
    tenant_id           TEXT NOT NULL,
    seat                INTEGER NOT NULL,
    url                 TEXT NOT NULL,
    format              TEXT NOT NULL,
    kinds               TEXT NOT NULL,
    phone_number_ids    TEXT NOT NULL,
    delivery_order      TEXT NOT NULL,
    batch_max           INTEGER NOT NULL,
    per_second          INTEGER NOT NULL,
    concurrency         INTEGER NOT NULL,
    header_names        TEXT NOT NULL,
    sealed_headers      BLOB,
    secrets             TEXT NOT NULL,
    sealed_verify_token BLOB,
    state               TEXT NOT NULL,
    disabled_reason     TEXT,
    disabled_at         INTEGER,
    start               INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    version             INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX endpoints_of_tenant ON endpoints (tenant_id, seat);
