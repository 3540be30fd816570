//! A page while a store reads it: it ends at a number of items, of bytes, or after some time.

use std::fmt::Debug;
use std::time::Duration;

use crate::domain::api_key::ApiKey;
use crate::domain::conversation::Conversation;
use crate::domain::ids::{ConversationId, EventId, MessageId, RedriveId, TenantId};
use crate::domain::message::{DeadLetter, Message, StatusRecord};
use crate::domain::redrive::Redrive;
use crate::domain::tenant::Tenant;
use crate::domain::time::Timestamp;
use crate::domain::webhook::WebhookEvent;

/// Items on a page unless the client says otherwise.
pub const PAGE_ITEMS_DEFAULT: u32 = 50;
/// The most items on a page.
pub const PAGE_ITEMS_MAX: u32 = 200;

/// The bytes of records at which a page ends, though there are more. A larger record is a page by itself.
pub const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The time after which a page ends with what was found, when a filter matches little.
pub const PAGE_TIME_MAX: Duration = Duration::from_secs(1);

/// The bytes of a record beside its texts.
const RECORD_BYTES: usize = 512;
/// The bytes of an entry in a timeline.
const ENTRY_BYTES: usize = 128;

/// Where a page ends. A page that ends early tells where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit {
    /// The most items on it.
    pub items: u32,
    /// The page ends with the item by which its records have so many bytes.
    pub bytes: usize,
    /// A search that takes longer ends between two looks at the store, each of a bounded number of records.
    pub time: Duration,
}

impl PageLimit {
    /// At most this many items, within [`PAGE_BYTES_MAX`] and [`PAGE_TIME_MAX`].
    pub const fn items(items: u32) -> Self {
        Self {
            items,
            bytes: PAGE_BYTES_MAX,
            time: PAGE_TIME_MAX,
        }
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self::items(PAGE_ITEMS_DEFAULT)
    }
}

/// A record that lists show.
pub trait Paged {
    /// Its place in the list. Lists run from the greatest place to the smallest; only a feed goes forward.
    type Position: Copy + Ord + Debug + Send + Sync;

    /// Returns its place.
    fn position(&self) -> Self::Position;

    /// Returns about as many bytes as it has in memory.
    fn bytes(&self) -> usize;
}

impl Paged for Message {
    type Position = MessageId;

    fn position(&self) -> MessageId {
        self.accepted.id
    }

    fn bytes(&self) -> usize {
        let accepted = &self.accepted;
        let content = &accepted.content;
        let texts = [
            &content.envelope,
            &content.frame,
            &accepted.metadata,
            &accepted.client_opaque,
        ];
        let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
        RECORD_BYTES + content.body.len() + texts + self.delivery.timeline.len() * ENTRY_BYTES
    }
}

impl Paged for WebhookEvent {
    type Position = EventId;

    fn position(&self) -> EventId {
        self.id
    }

    fn bytes(&self) -> usize {
        let amended = self.amends.as_ref().and_then(|amends| amends.content.as_ref());
        RECORD_BYTES
            + self.raw.len()
            + self.problem.as_ref().map_or(0, |problem| problem.len())
            + amended.map_or(0, |content| content.body.len())
    }
}

impl Paged for StatusRecord {
    type Position = Timestamp;

    fn position(&self) -> Timestamp {
        self.reported.received_at
    }

    fn bytes(&self) -> usize {
        RECORD_BYTES + self.raw.len() + self.frame.as_ref().map_or(0, |frame| frame.len())
    }
}

impl Paged for Conversation {
    type Position = (Timestamp, ConversationId);

    fn position(&self) -> Self::Position {
        (self.last_message_at, self.id)
    }

    fn bytes(&self) -> usize {
        let ids: usize = self.also.iter().map(|id| id.as_str().len()).sum();
        let names = self.name.iter().flat_map(|told| [&told.name, &told.username]);
        RECORD_BYTES + ids + names.flatten().map(|name| name.len()).sum::<usize>()
    }
}

impl Paged for Tenant {
    type Position = TenantId;

    fn position(&self) -> TenantId {
        self.id
    }

    fn bytes(&self) -> usize {
        let numbers: usize = (self.phone_numbers.iter())
            .map(|number| RECORD_BYTES + number.sealed_token.len())
            .sum();
        let keys: usize = self.keys.iter().map(ApiKey::bytes).sum();
        RECORD_BYTES + keys + self.name.len() + self.callback_url.as_ref().map_or(0, String::len) + numbers
    }
}

impl Paged for Redrive {
    type Position = RedriveId;

    fn position(&self) -> RedriveId {
        self.id
    }

    fn bytes(&self) -> usize {
        RECORD_BYTES + std::mem::size_of_val(&*self.pending)
    }
}

impl Paged for DeadLetter {
    type Position = MessageId;

    fn position(&self) -> MessageId {
        self.key.message_id
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.phone_number_id.as_str().len()
    }
}

/// A page as a store read it, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T: Paged> {
    /// The items. There may be none, though more follow.
    pub items: Vec<T>,
    /// The next page begins behind this place; `None` on the last page.
    pub next: Option<T::Position>,
}

impl<T: Paged> Listed<T> {
    /// Returns a last page without items.
    pub const fn empty() -> Self {
        let items = Vec::new();
        Self { items, next: None }
    }

    /// Merges two searches of one list, which may have found the same records.
    #[must_use]
    pub fn merge(self, other: Self, limit: PageLimit) -> Self {
        // Behind the place where one of them stopped, that one may have left something out.
        let stopped_at = self.next.max(other.next);
        let mut items = self.items;
        items.extend(other.items);
        items.retain(|item| stopped_at.is_none_or(|place| item.position() >= place));
        items.sort_unstable_by_key(|item| std::cmp::Reverse(item.position()));
        items.dedup_by_key(|item| item.position());
        let mut page = PageFill::new(limit);
        for item in items {
            if page.is_full() {
                return page.more();
            }
            page.push(item);
        }
        if let Some(place) = stopped_at {
            page.pass(place);
            return page.more();
        }
        page.end()
    }
}

/// A page that is being read.
#[derive(Debug)]
pub struct PageFill<T: Paged> {
    limit: PageLimit,
    bytes: usize,
    items: Vec<T>,
    last: Option<T::Position>,
}

impl<T: Paged> PageFill<T> {
    /// Begins a page.
    pub const fn new(limit: PageLimit) -> Self {
        Self {
            limit,
            bytes: 0,
            items: Vec::new(),
            last: None,
        }
    }

    /// Returns true when nothing more belongs on the page.
    pub fn is_full(&self) -> bool {
        self.items_left() == 0 || (self.bytes >= self.limit.bytes && !self.items.is_empty())
    }

    /// Returns the number of items that there is room for.
    pub fn items_left(&self) -> usize {
        (self.limit.items as usize).saturating_sub(self.items.len())
    }

    /// Returns how many of the next records fit, given the bytes of each: at least one, unless the page is full.
    pub fn fitting(&self, sizes: impl IntoIterator<Item = usize>) -> usize {
        if self.is_full() {
            return 0;
        }
        let mut bytes = self.bytes;
        let mut count = 0;
        for size in sizes.into_iter().take(self.items_left()) {
            if count > 0 && bytes >= self.limit.bytes {
                break;
            }
            bytes = bytes.saturating_add(size);
            count += 1;
        }
        count
    }

    /// Puts the next item on the page.
    pub fn push(&mut self, item: T) {
        let bytes = item.bytes();
        self.push_sized(item, bytes);
    }

    /// As [`Self::push`], where the store knows the bytes of the record.
    pub fn push_sized(&mut self, item: T, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.last = Some(item.position());
        self.items.push(item);
    }

    /// Everything down to this place was looked at.
    pub const fn pass(&mut self, place: T::Position) {
        self.last = Some(place);
    }

    /// Ends the page; there may be more behind it.
    pub fn more(self) -> Listed<T> {
        Listed {
            items: self.items,
            next: self.last,
        }
    }

    /// Ends the last page.
    pub fn end(self) -> Listed<T> {
        Listed {
            items: self.items,
            next: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Item(u32, usize);

    impl Paged for Item {
        type Position = u32;

        fn position(&self) -> u32 {
            self.0
        }

        fn bytes(&self) -> usize {
            self.1
        }
    }

    /// What a store does with the items of these places and this size, below `before`.
    fn page(places: &[u32], size: usize, before: Option<u32>, limit: PageLimit) -> Listed<Item> {
        let mut page = PageFill::new(limit);
        for place in places
            .iter()
            .rev()
            .filter(|place| before.is_none_or(|end| **place < end))
        {
            if page.is_full() {
                return page.more();
            }
            page.push(Item(*place, size));
        }
        page.end()
    }

    const fn limit(items: u32, bytes: usize) -> PageLimit {
        let time = Duration::MAX;
        PageLimit { items, bytes, time }
    }

    fn lengths(size: usize, limit: PageLimit) -> Vec<usize> {
        let places: Vec<u32> = (0..10).collect();
        let (mut before, mut lengths) = (None, Vec::new());
        loop {
            let listed = page(&places, size, before, limit);
            lengths.push(listed.items.len());
            before = listed.next;
            if before.is_none() {
                return lengths;
            }
        }
    }

    #[test]
    fn a_page_ends_at_its_items_or_at_its_bytes() {
        assert_eq!(lengths(10, limit(50, 1_000)), [10]);
        assert_eq!(lengths(10, limit(10, 1_000)), [10], "nothing follows the last item");
        assert_eq!(lengths(10, limit(4, 1_000)), [4, 4, 2]);
        assert_eq!(lengths(10, limit(50, 35)), [4, 4, 2]);
        assert_eq!(
            lengths(100, limit(50, 35)),
            [1; 10],
            "a large record is a page by itself"
        );
    }

    #[test]
    fn what_fits_is_what_a_page_takes() {
        let mut page = PageFill::<Item>::new(limit(5, 35));
        assert_eq!(page.fitting([10; 9]), 4);
        assert_eq!(page.fitting([100; 9]), 1);
        assert_eq!(page.fitting([1; 9]), 5);
        page.push_sized(Item(9, 0), 30);
        assert_eq!(page.fitting([10; 9]), 1);
        page.push_sized(Item(8, 0), 10);
        assert!(page.is_full());
        assert_eq!(page.fitting([10; 9]), 0);
    }

    #[test]
    fn two_searches_are_merged_down_to_where_one_stopped() {
        let (one, other) = (&[1, 2, 5, 7, 9], &[2, 3, 8]);
        for (items, bytes) in [(1, 1_000), (2, 1_000), (9, 15), (9, 1_000)] {
            let limit = limit(items, bytes);
            let (mut before, mut seen) = (None, Vec::new());
            loop {
                let merged = page(one, 10, before, limit).merge(page(other, 10, before, limit), limit);
                seen.extend(merged.items.iter().map(|item| item.0));
                before = merged.next;
                if before.is_none() {
                    break;
                }
            }
            assert_eq!(seen, [9, 8, 7, 5, 3, 2, 1], "{limit:?}");
        }
    }
}
