-- The hold of all sending: one row at most.
CREATE TABLE sending_hold (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    since INTEGER NOT NULL
) STRICT;
