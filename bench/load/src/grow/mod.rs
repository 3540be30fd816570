//! Fills a store with settled messages so that growth can be measured in minutes instead of hours: clones of those that
//! Dakghar itself stored and settled, of all its tenants, with new ids, keys, wamids, people, threads and entries in the feed. Their times
//! are in the past, the newest just before the templates. Dakghar must not be running.

mod entries;
mod mongo;
mod progress;
mod sqlite;

use serde_json::{Value, json};
use uuid::Builder;

use crate::probe::{StoreArgs, mongo_database};
use crate::sends::now_us;

/// Settled messages that are cloned, at most.
const TEMPLATES_MAX: u32 = 200;
/// Messages of one person, in one thread.
const MESSAGES_PER_PERSON: u64 = 10;
/// Between the creation of one clone and the next.
const MS_PER_CLONE: u64 = 250;
/// How much earlier than now the newest clone was created. The templates are younger.
const NEWEST_MS: u64 = 60_000;
/// Half the range of times that is reported.
const AROUND_MIDDLE_MS: u64 = 30_000;
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Messages the store shall hold.
    #[arg(long)]
    total: u64,
}

/// Reports how many messages were added, and a range of times in the middle of theirs.
pub(crate) async fn run(args: Args) -> anyhow::Result<Value> {
    let clones = match (args.store.mongo_uri, args.store.sqlite) {
        (Some(uri), _) => mongo::grow(&mongo_database(&uri).await?, args.total).await?,
        (None, Some(file)) => sqlite::grow(&file, args.total)?,
        (None, None) => anyhow::bail!("name the store"),
    };
    let middle_ms = clones.created_ms(clones.count / 2);
    Ok(json!({
        "total": args.total,
        "added": clones.count,
        "since": rfc_3339(middle_ms - AROUND_MIDDLE_MS)?,
        "until": rfc_3339(middle_ms + AROUND_MIDDLE_MS)?,
    }))
}

fn rfc_3339(ms: u64) -> anyhow::Result<String> {
    Ok(jiff::Timestamp::from_millisecond(ms.cast_signed())?.to_string())
}

/// All clones, and what is new in each.
#[derive(Clone, Copy)]
struct Clones {
    count: u64,
    templates: u64,
    people: u64,
    ends_ms: u64,
}

/// What is new in one.
struct Clone {
    id: String,
    idempotency_key: String,
    wamid: String,
    /// The person's digits.
    person: String,
    conversation_id: String,
    /// In milliseconds since the epoch.
    created_ms: i64,
    /// Which template.
    template: usize,
}

impl Clones {
    fn new(stored: u64, total: u64, templates: usize) -> Self {
        let templates = templates as u64;
        Self {
            count: total.saturating_sub(stored),
            templates,
            people: (total / MESSAGES_PER_PERSON).max(templates),
            ends_ms: now_us() / 1_000 - NEWEST_MS,
        }
    }

    fn created_ms(&self, index: u64) -> u64 {
        self.ends_ms - (self.count - index) * MS_PER_CLONE
    }

    /// The older, the smaller the index.
    fn at(&self, index: u64) -> Clone {
        let created_ms = self.created_ms(index);
        let mut entropy = [0; 10];
        entropy[..8].copy_from_slice(&scattered(index).to_be_bytes());
        let id = Builder::from_unix_timestamp_millis(created_ms, &entropy).into_uuid();
        let person = index % self.people;
        Clone {
            id: format!("msg_{}", base32(id.as_u128())),
            idempotency_key: format!("clone-{:016x}", scattered(index)),
            wamid: format!("wamid.clone{:016x}", scattered(index)),
            person: format!("88{person:010}"),
            conversation_id: format!("cnv_{}", base32(u128::from(scattered(person)) << 64)),
            created_ms: created_ms.cast_signed(),
            template: usize::try_from(person % self.templates).unwrap_or(0),
        }
    }

    /// The newest clone of every thread.
    fn newest_of_threads(&self) -> impl Iterator<Item = Clone> {
        (self.count.saturating_sub(self.people)..self.count).map(|index| self.at(index))
    }
}

/// Another number for each, in no order: as ids that Meta or a client makes up lie in an index.
const fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// 26 characters that hold 128 bits, in order.
fn base32(value: u128) -> String {
    (0..26)
        .rev()
        .map(|digit| char::from(BASE32[usize::try_from((value >> (5 * digit)) & 31).unwrap_or(0)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn clones_differ_and_their_ids_sort_by_time() {
        let clones = Clones::new(200, 20_000, 200);
        let all: Vec<Clone> = (0..clones.count).map(|index| clones.at(index)).collect();
        assert!(all.is_sorted_by(|one, next| one.id < next.id && one.created_ms < next.created_ms));
        let distinct = |text: fn(&Clone) -> &str| all.iter().map(text).collect::<HashSet<_>>().len();
        assert_eq!(distinct(|clone| &clone.id), all.len());
        assert_eq!(distinct(|clone| &clone.idempotency_key), all.len());
        assert_eq!(distinct(|clone| &clone.wamid), all.len());
        assert_eq!(
            (
                distinct(|clone| &clone.person),
                distinct(|clone| &clone.conversation_id)
            ),
            (2_000, 2_000)
        );
    }

    #[test]
    fn every_thread_is_named_once_by_its_newest_clone() {
        let clones = Clones::new(200, 5_000, 200);
        let threads: HashSet<String> = clones.newest_of_threads().map(|clone| clone.conversation_id).collect();
        assert_eq!(threads.len(), 500);
        let newest = clones.newest_of_threads().last().expect("a thread");
        assert_eq!(newest.id, clones.at(clones.count - 1).id);
    }
}
