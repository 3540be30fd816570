//! Redis: the schedule that wakes workers, through the official `bullmq` crate, and the pace of each number.
//!
//! Redis holds nothing that the store does not know better: all of it may be lost at any time.
//!
//! In the order in which a newcomer should read: `config`, `connection`, `pacer`, `quota`, `news`, and the folder `bullmq`.

mod bullmq;
mod config;
mod connection;
mod news;
mod pacer;
mod pair_lines;
mod quota;

pub use self::bullmq::{BullmqConfig, BullmqQueue, QUEUE_NAME, Role, work_of_job};
pub use config::{InvalidRedisConfig, RedisConfig};
pub use news::RedisNews;
pub use pacer::RedisPacer;
