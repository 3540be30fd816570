-- Ids sort by the time they were made, so a list by time is a range of ids. This marks the messages whose id tells a time
-- more than ten seconds away from created_at: they are searched beside that range.
ALTER TABLE messages ADD COLUMN id_time_off INTEGER;

-- The ten characters behind 'msg_' are the 48 bits of the time in base32.
UPDATE messages SET id_time_off = 1 WHERE abs(created_at - (
    (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 5, 1)) - 1 << 45)
    + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 6, 1)) - 1 << 40)
    + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 7, 1)) - 1 << 35)
    + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 8, 1)) - 1 << 30)
    + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 9, 1)) - 1 << 25)
    + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 10, 1)) - 1 << 20)
    + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 11, 1)) - 1 << 15)
    + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 12, 1)) - 1 << 10)
    + (instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 13, 1)) - 1 << 5)
    + instr('0123456789abcdefghjkmnpqrstvwxyz', substr(id, 14, 1)) - 1
)) > 10000;

CREATE INDEX messages_id_time_off ON messages (tenant_id, id)
    WHERE id_time_off IS NOT NULL;
