//! Which of the due messages go next: the urgent first, the oldest first, and nobody starves.
//!
//! Each priority is a lane of the index, sorted by slot. A look reads the head of each lane: the messages that have
//! waited longest. Normally that is everything that is due. After an outage it may be a million messages of one
//! number; then a look also reads the newest due ones, where somebody else's single message is, and one stretch of the
//! rest, going on where the look before stopped. So the work of a look is bounded, and every number is found.

use std::collections::{HashMap, HashSet, VecDeque};

use dakghar_core::domain::ids::{MessageId, MessageKey, TenantId};
use dakghar_core::domain::message::Priority;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{DUE_COUNTED_MAX, DueWork};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Params, Row, params};

use super::super::cells::{Cells, Read as ReadCells, maybe_number, number, readable};
use super::super::failure::Outcome;

pub(in super::super) const HEAD: &str = "\
    SELECT coalesce(slot_at, 0), phone_number_id, seq FROM messages INDEXED BY messages_due \
    WHERE status = 'queued' AND priority = ? ORDER BY slot_at, phone_number_id, seq LIMIT ?";

pub(in super::super) const TAIL: &str = "\
    SELECT slot_at, phone_number_id, seq FROM messages INDEXED BY messages_due \
    WHERE status = 'queued' AND priority = ? AND slot_at BETWEEN ? AND ? \
    ORDER BY slot_at DESC, phone_number_id DESC, seq DESC LIMIT ?";

pub(in super::super) const STRETCH: &str = "\
    SELECT slot_at, phone_number_id, seq FROM messages INDEXED BY messages_due \
    WHERE status = 'queued' AND priority = ? AND (slot_at, phone_number_id, seq) > (?, ?, ?) \
    ORDER BY slot_at, phone_number_id, seq LIMIT ?";

/// How many messages of a priority are due, up to a number, and the slot of the one that has waited longest.
pub(in super::super) const WAITING: &str = "\
    SELECT count(*), min(slot_at) FROM (SELECT slot_at FROM messages INDEXED BY messages_due \
    WHERE status = 'queued' AND priority = ? AND slot_at <= ? ORDER BY slot_at LIMIT ?)";

/// Rows read at the head of a lane, beyond those that are out.
const HEAD_ROWS: usize = 256;
/// Newest due rows read when there is more than the head.
const TAIL_ROWS: usize = 256;
/// Rows of the rest read in one look.
const STRETCH_ROWS: usize = 4096;
/// Messages that each lane gives in a round while the others have some too, the most urgent lane first.
const SHARES: [usize; 3] = [8, 4, 1];

/// The memory between looks.
#[derive(Default)]
pub(super) struct Book {
    /// The `seq` of every message that is out with a worker.
    pub(super) out: HashSet<i64>,
    /// Where the stretch of each lane goes on.
    stretches: [Option<Place>; 3],
}

/// A place in the index of a lane. A message without a slot is due and stands before all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    slot_at: i64,
    number: NumberText,
    seq: i64,
}

/// The text of a number's id as it lies in the index, which may be none: what cannot be read has a place all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct NumberText(Vec<u8>);

impl ToSql for NumberText {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(&self.0)))
    }
}

/// A message to hand out.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) seq: i64,
    pub(super) key: MessageKey,
    pub(super) drive: u32,
}

/// The findings of a look.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) due: Vec<Due>,
    /// When the first message becomes due that is not yet.
    pub(super) next_slot_at: Option<Timestamp>,
}

pub(super) fn choose(conn: &Connection, now: Timestamp, book: &mut Book, max: usize) -> Outcome<Chosen> {
    // One snapshot, so that what the index names is still so when the row is read.
    let tx = conn.unchecked_transaction()?;
    let mut lanes = Vec::with_capacity(SHARES.len());
    let mut next_slot_at = None;
    for (priority, stretch) in Priority::ALL.into_iter().zip(&mut book.stretches) {
        let mut lane = Lane::new(now, &book.out);
        lane.read_head(&tx, priority, max)?;
        if let Some(head_end) = lane.head_end.take() {
            lane.read_tail(&tx, priority, &head_end)?;
            *stretch = lane.read_stretch(&tx, priority, stretch.take().max(Some(head_end)), max)?;
        }
        next_slot_at = [next_slot_at, lane.next_slot_at].into_iter().flatten().min();
        lanes.push(lane.into_turns());
    }
    let mut due = Vec::new();
    for seq in pick(&mut lanes, max) {
        match load(&tx, seq)? {
            Some(message) => due.push(message),
            // Not even whose it is can be read: it counts as out from now on, and the next look passes it.
            None => _ = book.out.insert(seq),
        }
    }
    tx.commit()?;
    Ok(Chosen {
        due,
        next_slot_at: next_slot_at.map(Timestamp::from_millis),
    })
}

/// Takes from the lanes by their shares until there are enough or none are left.
fn pick(lanes: &mut [Turns], max: usize) -> Vec<i64> {
    let mut picked = Vec::new();
    loop {
        let before = picked.len();
        for (lane, share) in lanes.iter_mut().zip(SHARES) {
            let room = max - picked.len();
            picked.extend(std::iter::from_fn(|| lane.next()).take(share.min(room)));
        }
        if picked.len() == before || picked.len() == max {
            return picked;
        }
    }
}

fn load(conn: &Connection, seq: i64) -> Outcome<Option<Due>> {
    let mut select = conn.prepare_cached("SELECT id, tenant_id, drive FROM messages WHERE seq = ?")?;
    let mut rows = select.query([seq])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(readable("message", row, due(seq, row)))
}

fn due(seq: i64, row: &Row<'_>) -> ReadCells<Due> {
    let mut cells = Cells::of(row);
    let message_id = cells.parse(MessageId::parse)?;
    let tenant_id = cells.parse(TenantId::parse)?;
    Ok(Due {
        seq,
        key: MessageKey { tenant_id, message_id },
        drive: cells.get()?,
    })
}

/// The due messages of one priority, as far as one look reads them.
struct Lane<'a> {
    now: i64,
    out: &'a HashSet<i64>,
    by_number: HashMap<NumberText, Vec<Place>>,
    found: HashSet<i64>,
    /// Where the head ended, if more due messages may follow.
    head_end: Option<Place>,
    next_slot_at: Option<i64>,
}

impl<'a> Lane<'a> {
    fn new(now: Timestamp, out: &'a HashSet<i64>) -> Self {
        Self {
            now: now.as_millis(),
            out,
            by_number: HashMap::new(),
            found: HashSet::new(),
            head_end: None,
            next_slot_at: None,
        }
    }

    /// The longest waiting.
    fn read_head(&mut self, conn: &Connection, priority: Priority, max: usize) -> Outcome<()> {
        let limit = self.out.len() + HEAD_ROWS.max(max);
        let mut select = conn.prepare_cached(HEAD)?;
        let places = read(&mut select, params![priority.as_str(), as_limit(limit)], |place| {
            if place.slot_at > self.now {
                self.next_slot_at = Some(place.slot_at);
                return false;
            }
            self.keep(place);
            true
        })?;
        if places.count == limit {
            self.head_end = places.last;
        }
        Ok(())
    }

    /// The newest that are due: there is the single message of a number that does not have a backlog.
    fn read_tail(&mut self, conn: &Connection, priority: Priority, head_end: &Place) -> Outcome<()> {
        let head_numbers: HashSet<NumberText> = self.by_number.keys().cloned().collect();
        let mut select = conn.prepare_cached(TAIL)?;
        let now = self.now;
        let params = params![priority.as_str(), head_end.slot_at, now, as_limit(TAIL_ROWS)];
        read(&mut select, params, |place| {
            if !head_numbers.contains(&place.number) {
                self.keep(place);
            }
            true
        })?;
        Ok(())
    }

    /// A stretch of what is between head and tail. Returns where the next look goes on; `None` is the beginning.
    fn read_stretch(
        &mut self,
        conn: &Connection,
        priority: Priority,
        from: Option<Place>,
        max: usize,
    ) -> Outcome<Option<Place>> {
        let Some(from) = from else { return Ok(None) };
        let known_numbers: HashSet<NumberText> = self.by_number.keys().cloned().collect();
        let mut select = conn.prepare_cached(STRETCH)?;
        let params = params![
            priority.as_str(),
            from.slot_at,
            from.number,
            from.seq,
            as_limit(STRETCH_ROWS)
        ];
        let mut strangers = 0;
        let mut is_over = false;
        let places = read(&mut select, params, |place| {
            is_over = place.slot_at > self.now;
            if !is_over && !known_numbers.contains(&place.number) && self.keep(place) {
                strangers += 1;
            }
            !is_over && strangers < max
        })?;
        let is_over = is_over || (places.count < STRETCH_ROWS && strangers < max);
        Ok(places.last.filter(|_| !is_over))
    }

    /// Keeps a message that is not out; returns whether it did.
    fn keep(&mut self, place: Place) -> bool {
        if self.out.contains(&place.seq) || !self.found.insert(place.seq) {
            return false;
        }
        match self.by_number.get_mut(&place.number) {
            Some(places) => places.push(place),
            None => {
                self.by_number.insert(place.number.clone(), vec![place]);
            }
        }
        true
    }

    fn into_turns(self) -> Turns {
        let mut numbers: Vec<Vec<Place>> = self.by_number.into_values().collect();
        for places in &mut numbers {
            places.sort_unstable();
        }
        numbers.sort_unstable();
        Turns(
            numbers
                .into_iter()
                .map(|places| places.into_iter().map(|place| place.seq).collect())
                .collect(),
        )
    }
}

/// The messages of a lane by number; the number whose turn it is stands first.
struct Turns(VecDeque<VecDeque<i64>>);

impl Turns {
    /// The oldest message of the next number.
    fn next(&mut self) -> Option<i64> {
        let mut number = self.0.pop_front()?;
        let seq = number.pop_front();
        if !number.is_empty() {
            self.0.push_back(number);
        }
        seq
    }
}

/// The end of a reading.
struct Read {
    count: usize,
    last: Option<Place>,
}

/// Reads places until `more` says that it is enough.
fn read(select: &mut CachedStatement<'_>, params: impl Params, mut more: impl FnMut(Place) -> bool) -> Outcome<Read> {
    let mut rows = select.query(params)?;
    let mut read = Read { count: 0, last: None };
    while let Some(row) = rows.next()? {
        let place = Place {
            slot_at: number(row, 0)?,
            number: NumberText(row.get_ref(1)?.as_bytes().unwrap_or_default().to_vec()),
            seq: number(row, 2)?,
        };
        read.count += 1;
        read.last = Some(place.clone());
        if !more(place) {
            break;
        }
    }
    Ok(read)
}

fn as_limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Counts what is due at `now`, also what is out with a worker and not claimed yet.
pub(super) fn waiting(conn: &Connection, now: Timestamp) -> Outcome<Vec<DueWork>> {
    let mut select = conn.prepare_cached(WAITING)?;
    let mut found = Vec::new();
    for priority in Priority::ALL {
        let asked = params![priority.as_str(), now.as_millis(), DUE_COUNTED_MAX];
        let counted = |row: &Row<'_>| Ok((number(row, 0)?, maybe_number(row, 1)?));
        let (count, oldest) = select.query_row(asked, counted)?;
        found.push(DueWork {
            priority,
            count: u64::try_from(count).unwrap_or_default(),
            oldest_slot_at: oldest.map(Timestamp::from_millis),
        });
    }
    Ok(found)
}
