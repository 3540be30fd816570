-- The secrets of the installation, sealed under a data key of their own.
CREATE TABLE installation_secrets (
    name TEXT PRIMARY KEY NOT NULL,
    wrapped_data_key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
