-- Keys of operators. A key is JSON, without the time of its last use, which changes without a new version.
CREATE TABLE operator_keys (
    id TEXT PRIMARY KEY NOT NULL,
    role TEXT NOT NULL,
    key TEXT NOT NULL,
    used_at INTEGER,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
