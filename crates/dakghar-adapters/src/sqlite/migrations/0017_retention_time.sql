-- The time by which the age of records is judged: one row at most.
CREATE TABLE retention_time (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;
