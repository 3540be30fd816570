//! The table of all kinds of updates, by name.

use std::sync::Arc;

use bytes::Bytes;

use super::kind::Kind;
use super::maker::{Maker, SentMessage};
use super::packing::Packing;
use super::{account_fields, history, messages, number_fields, statuses};
use crate::number::Number;

impl Kind {
    /// All kinds, in the order of the reference.
    pub fn all() -> Vec<Self> {
        let lists = [
            messages::KINDS,
            statuses::KINDS,
            number_fields::KINDS,
            account_fields::KINDS,
            history::KINDS,
        ];
        lists.concat()
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|kind| kind.name == name)
    }
}

/// The bodies that tell of one update of this kind, one for each change, in the order in which Meta posts them.
pub(crate) fn bodies_of(
    kind: Kind,
    number: &Arc<Number>,
    sent: &[SentMessage],
    seed: u64,
    now_seconds: i64,
) -> Vec<Bytes> {
    let mut maker = Maker::seeded(seed, now_seconds, sent.to_vec());
    maker.turn_to(Arc::clone(number));
    let parts = kind.make(&mut maker);
    let body_of = |part| {
        let mut packing = Packing::at(now_seconds);
        packing.add(number, part, true, true);
        Bytes::from(packing.into_body())
    };
    parts.into_iter().map(body_of).collect()
}
