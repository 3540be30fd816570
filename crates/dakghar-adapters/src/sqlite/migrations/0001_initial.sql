-- Times are milliseconds since the Unix epoch. Ids are the texts that clients see. Names of states are those of the API,
-- so that `sqlite3` on the file reads like the product.
--
-- Every index is paid for by every accepted message: add one only for a query that would otherwise grow with the table.

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    -- Fixed at acceptance.
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    phone_number_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    peer TEXT,
    peer_id TEXT,
    kind TEXT NOT NULL,
    idempotency_key TEXT,
    fingerprint BLOB,
    client_opaque TEXT,
    priority TEXT NOT NULL,
    unknown_outcome TEXT NOT NULL,
    attempts_max INTEGER NOT NULL,
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    -- Changed by delivery.
    status TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    attempts_refunded INTEGER NOT NULL,
    strikes INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until INTEGER,
    called_at INTEGER,
    maybe_sent INTEGER NOT NULL,
    grace_until INTEGER,
    slot_at INTEGER,
    drive INTEGER NOT NULL,
    wake_at INTEGER,
    enqueued_at INTEGER,
    dead_reason TEXT,
    hold_reason TEXT,
    wamid TEXT,
    status_seen_at INTEGER,
    conversation_id TEXT,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    -- What may be long comes last: a list that filters reads the columns above without touching overflow pages.
    wamids TEXT,
    error TEXT,
    timeline TEXT NOT NULL,
    metadata TEXT,
    body TEXT NOT NULL,
    envelope TEXT
) STRICT;

CREATE UNIQUE INDEX messages_by_id ON messages (tenant_id, id);

CREATE UNIQUE INDEX messages_by_idempotency_key ON messages (tenant_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE UNIQUE INDEX messages_received ON messages (phone_number_id, wamid)
    WHERE direction = 'inbound';

CREATE INDEX messages_sent ON messages (phone_number_id, wamid)
    WHERE direction = 'outbound' AND wamid IS NOT NULL;

-- The queue: one lane per priority, in the order of the slots. It covers what a worker needs to choose fairly.
CREATE INDEX messages_due ON messages (priority, slot_at, phone_number_id)
    WHERE status = 'queued';

-- The timers, per status, so that one status can be asked for without walking past the others.
CREATE INDEX messages_timer ON messages (status, wake_at)
    WHERE wake_at IS NOT NULL;

CREATE INDEX messages_in_conversation ON messages (tenant_id, conversation_id, id)
    WHERE conversation_id IS NOT NULL;

-- Messages that have not reached anybody (yet): what is waiting, and the tenant's dead letters. Short beside the table.
CREATE INDEX messages_open ON messages (tenant_id, status, id)
    WHERE status NOT IN ('sent', 'delivered', 'read', 'received');

-- The operator's dead letters.
CREATE INDEX messages_dead ON messages (id)
    WHERE status IN ('dead', 'failed', 'expired');

-- Wamids beyond a message's first: only after Meta took it more than once.
CREATE TABLE further_wamids (
    phone_number_id TEXT NOT NULL,
    wamid TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    PRIMARY KEY (phone_number_id, wamid, tenant_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX further_wamids_of_tenant ON further_wamids (tenant_id);

CREATE TABLE conversations (
    tenant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    phone_number_id TEXT NOT NULL,
    wa_id TEXT NOT NULL,
    last_message_id TEXT NOT NULL,
    last_message_at INTEGER NOT NULL,
    last_inbound_at INTEGER,
    PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX conversations_newest ON conversations (tenant_id, last_message_at, id);

CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    callback_url TEXT,
    api_key_hash BLOB NOT NULL,
    wrapped_data_key BLOB NOT NULL,
    hold_reason TEXT,
    hold_since INTEGER,
    hold_probe_at INTEGER,
    unknown_outcome TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    removed_at INTEGER,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE phone_numbers (
    phone_number_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    -- Where the number stands in the tenant's list; the first is the default one.
    position INTEGER NOT NULL,
    waba_id TEXT,
    display_phone_number TEXT,
    sealed_token BLOB NOT NULL,
    simulated INTEGER NOT NULL,
    messages_per_second INTEGER NOT NULL,
    hold_reason TEXT,
    hold_since INTEGER,
    hold_probe_at INTEGER,
    token_refusals INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX phone_numbers_of_tenant ON phone_numbers (tenant_id, position);

CREATE INDEX phone_numbers_of_waba ON phone_numbers (waba_id)
    WHERE waba_id IS NOT NULL;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    tenant_id TEXT,
    reason TEXT NOT NULL,
    field TEXT NOT NULL,
    phone_number_id TEXT,
    waba_id TEXT,
    problem TEXT,
    fingerprint BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    raw TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_fingerprint ON events (fingerprint);

CREATE INDEX events_newest ON events (tenant_id, id);

-- One row that is written to find out whether anything can be.
CREATE TABLE write_probe (
    seq INTEGER PRIMARY KEY CHECK (seq = 1),
    writes INTEGER NOT NULL
) STRICT;

INSERT INTO write_probe (seq, writes) VALUES (1, 0);
