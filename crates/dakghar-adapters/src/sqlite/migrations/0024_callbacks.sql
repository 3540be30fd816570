-- How far endpoints are. Everything up to `after_place` was delivered, was not wanted, or is an exception.
CREATE TABLE callback_progress (
    endpoint_id      TEXT PRIMARY KEY,
    tenant_id        TEXT NOT NULL,
    after_place      INTEGER NOT NULL,
    failures         INTEGER NOT NULL,
    failing_since    INTEGER,
    open_since       INTEGER,
    probe_at         INTEGER,
    probes           INTEGER,
    not_before       INTEGER,
    delivered        INTEGER NOT NULL,
    failed           INTEGER NOT NULL,
    expired          INTEGER NOT NULL,
    delivered_at     INTEGER,
    failed_at        INTEGER,
    replay_id        TEXT,
    replay_at        INTEGER,
    replay_delivered INTEGER,
    replay_failed    INTEGER,
    replay_ended_at  INTEGER,
    updated_at       INTEGER NOT NULL,
    version          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX callback_progress_of_tenant ON callback_progress (tenant_id);

-- Entries that an endpoint has not taken. `dead_at` is the last attempt of a dead one, and of no other.
CREATE TABLE callback_exceptions (
    endpoint_id     TEXT NOT NULL,
    tenant_id       TEXT NOT NULL,
    place           INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    subject         TEXT NOT NULL,
    phone_number_id TEXT,
    at              INTEGER NOT NULL,
    reported_at     INTEGER,
    conversation_id TEXT,
    state           TEXT NOT NULL,
    next_at         INTEGER,
    attempts        INTEGER NOT NULL,
    since           INTEGER NOT NULL,
    last_at         INTEGER,
    last_took_ms    INTEGER,
    last_end        TEXT,
    last_answer     TEXT,
    is_replay       INTEGER NOT NULL,
    dead_at         INTEGER,
    PRIMARY KEY (endpoint_id, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX callback_exceptions_open ON callback_exceptions (endpoint_id, place) WHERE dead_at IS NULL;
CREATE INDEX callback_exceptions_dead ON callback_exceptions (dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX callback_exceptions_of_tenant ON callback_exceptions (tenant_id);

-- Attempts that were noted together are one row, which may be large.
CREATE TABLE callback_attempts (
    id          TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    tenant_id   TEXT NOT NULL,
    at          INTEGER NOT NULL,
    attempts    TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, id)
) STRICT;

CREATE INDEX callback_attempts_oldest ON callback_attempts (at);
CREATE INDEX callback_attempts_of_tenant ON callback_attempts (tenant_id);
