-- Where a message was written, if its direction does not say it; whether its conversation is a group's; who wrote in one.
ALTER TABLE messages ADD COLUMN origin TEXT;
ALTER TABLE messages ADD COLUMN conversation_kind TEXT;
ALTER TABLE messages ADD COLUMN sender TEXT;

-- What the business wrote elsewhere is reported once, as what people write is.
CREATE UNIQUE INDEX messages_echoed ON messages (phone_number_id, wamid)
    WHERE direction = 'outbound' AND origin IS NOT NULL;

ALTER TABLE conversations ADD COLUMN kind TEXT;
