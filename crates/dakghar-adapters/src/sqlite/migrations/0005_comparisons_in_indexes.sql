-- The same two indexes, with comparisons for what were lists: of a list of three and more SQLite builds a table in memory
-- for every statement that writes a message.
DROP INDEX messages_open;
CREATE INDEX messages_open ON messages (tenant_id, status, id)
    WHERE status <> 'sent' AND status <> 'delivered' AND status <> 'read' AND status <> 'received';

DROP INDEX messages_dead;
CREATE INDEX messages_dead ON messages (id)
    WHERE status = 'dead' OR status = 'failed' OR status = 'expired';
