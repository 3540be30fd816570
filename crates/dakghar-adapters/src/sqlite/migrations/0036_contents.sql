-- Contents of messages that a tenant does not keep as long as the messages.
ALTER TABLE tenants ADD COLUMN content_days INTEGER;
ALTER TABLE tenants ADD COLUMN feed_days INTEGER;

-- When the content was removed; NULL while it is there.
ALTER TABLE messages ADD COLUMN content_removed_at INTEGER;

-- How far contents were removed: before this record none of the tenant has one that is old.
CREATE TABLE content_walks (
    tenant_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    up_to TEXT NOT NULL,
    PRIMARY KEY (tenant_id, kind)
) STRICT, WITHOUT ROWID;
