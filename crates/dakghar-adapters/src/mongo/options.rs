//! The settings of a store on MongoDB.

use std::time::Duration;

/// Settings of a store.
#[derive(Clone, Debug)]
pub struct MongoOptions {
    /// The database, when the URI names none.
    pub database: String,
    /// Connections at most; the URI's `maxPoolSize` wins.
    pub connections_max: u32,
    /// Connections kept open; the URI's `minPoolSize` wins.
    pub connections_min: u32,
    /// The time for which connecting is tried before it fails.
    pub connect_patience: Duration,
    /// The time that a write may take, its repetition on another connection included.
    pub write_timeout: Duration,
    /// The time that finding out about a write without an answer may take.
    pub reread_timeout: Duration,
    /// The time that a read may take.
    pub read_timeout: Duration,
    /// True when connecting creates the collections and indexes that are missing.
    pub prepare: bool,
}

impl MongoOptions {
    /// The wait of a write for the majority before the server answers that it does not know; longer than anybody waits
    /// here.
    pub(super) fn write_concern_timeout(&self) -> Duration {
        self.write_timeout + Duration::from_secs(1)
    }
}

impl Default for MongoOptions {
    fn default() -> Self {
        Self {
            database: "dakghar".to_owned(),
            connections_max: 32,
            connections_min: 2,
            connect_patience: Duration::from_mins(1),
            write_timeout: Duration::from_secs(4),
            reread_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(4),
            prepare: true,
        }
    }
}
