//! The feed: places are given, and entries are read with what they name.

mod changed;
mod gateway_ids;
mod just_placed;
mod meta_form;
mod owning;
mod reading;
mod rewriting;
mod sequencing;
mod stuck;
mod watching;

pub use changed::EndpointsChanged;
pub use gateway_ids::GatewayIds;
pub use meta_form::{OwnCallbackData, is_posted_by_meta, meta_body};
pub use reading::{EntryData, FeedItem, FeedPage};
pub use sequencing::{Sequenced, Sequencing};
pub use watching::{FeedSubscription, Watching};

pub(super) use just_placed::JustPlaced;
pub(super) use meta_form::posted_body;
pub(super) use reading::FeedReading;
