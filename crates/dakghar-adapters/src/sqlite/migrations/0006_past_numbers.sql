-- The numbers that a tenant gave up: statuses of what it sent from them still come.
CREATE TABLE past_numbers (
    tenant_id TEXT NOT NULL,
    -- The latest is the last.
    position INTEGER NOT NULL,
    phone_number_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX past_numbers_by_number ON past_numbers (phone_number_id);
