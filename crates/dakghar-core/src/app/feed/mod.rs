//! The feed: places are given, and entries are read with what they name.

mod reading;
mod sequencing;

pub use reading::{EntryData, FeedItem, FeedPage};
pub use sequencing::{Sequenced, Sequencing};

pub(super) use reading::FeedReading;
