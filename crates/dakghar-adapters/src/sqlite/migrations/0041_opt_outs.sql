-- What people said about being written to: the last word for each mark of a person and scope. The mark is a keyed hash; the
-- person is there until they are erased or take their opt-out back.
CREATE TABLE opt_outs (
    tenant_id TEXT NOT NULL,
    mark      TEXT NOT NULL,
    scope     TEXT NOT NULL,
    person    TEXT,
    is_out    INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    source    TEXT NOT NULL,
    PRIMARY KEY (tenant_id, mark, scope)
) STRICT, WITHOUT ROWID;

CREATE INDEX opt_outs_of_person ON opt_outs (tenant_id, person) WHERE person IS NOT NULL;

-- What a tenant wants to be kept to: JSON; NULL where that is what every tenant begins with.
ALTER TABLE tenants ADD COLUMN sending_rules TEXT;

-- The conditions under which a message may go out; NULL where there are none.
ALTER TABLE messages ADD COLUMN terms TEXT;
