-- Apps at Meta. Their secrets are sealed, each with the time it was added and the one from which it is not valid any more.
CREATE TABLE apps (
    id                  TEXT PRIMARY KEY,
    name                TEXT NOT NULL,
    wrapped_data_key    BLOB NOT NULL,
    sealed_verify_token BLOB NOT NULL,
    secrets             TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    version             INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
