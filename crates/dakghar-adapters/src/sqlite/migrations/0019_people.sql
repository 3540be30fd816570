-- What a conversation knows of its person: since when, how they are called, and their further ids. `also` is those of
-- conversation_keys in their order, with spaces between them.
ALTER TABLE conversations ADD COLUMN first_message_at INTEGER;
ALTER TABLE conversations ADD COLUMN also TEXT;
ALTER TABLE conversations ADD COLUMN named_at INTEGER;
ALTER TABLE conversations ADD COLUMN name TEXT;
ALTER TABLE conversations ADD COLUMN username TEXT;

CREATE INDEX conversations_by_person ON conversations (tenant_id, wa_id);

CREATE TABLE conversation_keys (
    tenant_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (tenant_id, conversation_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_keys_by_key ON conversation_keys (tenant_id, key);
