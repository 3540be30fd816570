-- The feeds of tenants. `subject` names the record that has the rest; `place` counts from 1 for each tenant. The last entry
-- of a tenant is never erased: the next place follows from it.
CREATE TABLE feed (
    tenant_id       TEXT NOT NULL,
    place           INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    subject         TEXT NOT NULL,
    phone_number_id TEXT,
    at              INTEGER NOT NULL,
    reported_at     INTEGER,
    PRIMARY KEY (tenant_id, place)
) STRICT, WITHOUT ROWID;

-- What came before there was a feed, in the order of time.
INSERT INTO feed (tenant_id, place, kind, subject, phone_number_id, at, reported_at)
SELECT tenant_id, row_number() OVER (PARTITION BY tenant_id ORDER BY at, subject),
       kind, subject, phone_number_id, at, reported_at
FROM (
    SELECT tenant_id,
           CASE origin WHEN 'business_app' THEN 'message.echo' WHEN 'history' THEN 'message.history'
                       ELSE 'message.received' END AS kind,
           'message ' || id AS subject, phone_number_id, created_at AS at, NULL AS reported_at
    FROM messages WHERE direction = 'inbound' OR origin IS NOT NULL
    UNION ALL
    SELECT tenant_id, 'status.' || status, 'report ' || message_id || ' ' || digest, NULL, received_at, reported_at
    FROM statuses
    UNION ALL
    SELECT tenant_id,
           CASE WHEN revokes = 1 THEN 'message.revoked' WHEN revokes = 0 THEN 'message.edited'
                WHEN field = '' OR length(field) > 75 OR field GLOB '*[^!-~]*' THEN 'meta.unnamed'
                ELSE 'meta.' || field END,
           'event ' || id, phone_number_id, received_at, amended_at
    FROM events WHERE tenant_id IS NOT NULL
);
