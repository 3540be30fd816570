-- Meta's reports on messages, written once. `digest` tells a report from the others of its message.
CREATE TABLE statuses (
    tenant_id   TEXT NOT NULL,
    message_id  TEXT NOT NULL,
    digest      TEXT NOT NULL,
    status      TEXT NOT NULL,
    wamid       TEXT NOT NULL,
    attempt     INTEGER,
    participant TEXT,
    reported_at INTEGER,
    received_at INTEGER NOT NULL,
    error       TEXT,
    raw         TEXT NOT NULL,
    frame       TEXT,
    PRIMARY KEY (tenant_id, message_id, digest)
) STRICT, WITHOUT ROWID;
