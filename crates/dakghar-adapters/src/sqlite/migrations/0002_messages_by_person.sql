-- A tenant's messages from and to one person, for the list by recipient.
CREATE INDEX messages_by_person ON messages (tenant_id, peer_id, id)
    WHERE peer_id IS NOT NULL;
