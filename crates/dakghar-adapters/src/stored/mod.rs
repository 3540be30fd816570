//! Shared by both stores: ids that tell a time, and records that cannot be read.

pub(crate) mod id_time;
pub(crate) mod unreadable;
pub(crate) mod uptime;
