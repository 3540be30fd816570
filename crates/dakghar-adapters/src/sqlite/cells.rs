//! The columns of a row, read from left to right into what the domain has.

use dakghar_core::domain::ids::InvalidId;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::StoreError;
use rusqlite::Row;
use rusqlite::types::FromSql;

use crate::stored::unreadable;

use super::failure::Failure;

/// Stored data that cannot be read. Names the place, and never carries a value.
///
/// It does not turn into a [`Failure`] by `?`: a row that cannot be read must not fail the batch that reads it. Whoever
/// reads many rows uses [`readable`], whoever asks for one uses [`asked_for`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damaged(pub(super) String);

impl Damaged {
    /// The failure of work that must stop at the first row that cannot be read: leaving an installation.
    pub(super) fn stops_all(self) -> Failure {
        Failure::Damaged(self.0)
    }
}

/// The result of reading stored data.
pub(super) type Read<T> = Result<T, Damaged>;

/// The columns of a row, read from left to right.
pub(super) struct Cells<'row> {
    row: &'row Row<'row>,
    next: usize,
}

impl<'row> Cells<'row> {
    pub(super) const fn of(row: &'row Row<'row>) -> Self {
        Self { row, next: 0 }
    }

    /// From this column on.
    pub(super) const fn from(row: &'row Row<'row>, next: usize) -> Self {
        Self { row, next }
    }

    pub(super) fn get<T: FromSql>(&mut self) -> Read<T> {
        let column = self.next;
        self.next += 1;
        // The driver's own words may quote a value.
        self.row.get(column).map_err(|_| not_understood(self.row, column))
    }

    /// A text that a domain type can read.
    pub(super) fn parse<T, P: Parsed<T>>(&mut self, parse: fn(&str) -> P) -> Read<T> {
        self.maybe_parse(parse)?
            .ok_or_else(|| Damaged(format!("the column {} is empty", name(self.row, self.next - 1))))
    }

    /// As [`Cells::parse`], where the column may be empty.
    pub(super) fn maybe_parse<T, P: Parsed<T>>(&mut self, parse: fn(&str) -> P) -> Read<Option<T>> {
        let column = self.next;
        self.next += 1;
        let damaged = || not_understood(self.row, column);
        let value = self.row.get_ref(column).map_err(|_| damaged())?;
        let text = value.as_str_or_null().map_err(|_| damaged())?;
        text.map(|text| parse(text).parsed().ok_or_else(damaged)).transpose()
    }

    pub(super) fn time(&mut self) -> Read<Timestamp> {
        Ok(Timestamp::from_millis(self.get()?))
    }

    pub(super) fn maybe_time(&mut self) -> Read<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    /// A counter that is never negative.
    pub(super) fn count(&mut self) -> Read<u64> {
        Ok(self.get::<i64>()?.cast_unsigned())
    }
}

fn name<'row>(row: &'row Row<'_>, column: usize) -> &'row str {
    row.as_ref().column_name(column).unwrap_or_default()
}

fn not_understood(row: &Row<'_>, column: usize) -> Damaged {
    Damaged(format!("the column {} is not understood", name(row, column)))
}

/// A whole number that SQLite itself vouches for: a count, a column of a strict table that is never empty.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<i64> {
    row.get(column)
}

/// As [`number`], where there may be none.
pub(super) fn maybe_number(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<i64>> {
    row.get(column)
}

/// One row of many. A row that cannot be read is told of and left out: it must not stop the others. Its id is in the
/// first column.
pub(super) fn readable<T>(what: &'static str, row: &Row<'_>, read: Read<T>) -> Option<T> {
    asked_for(what, row, read).ok()
}

/// A row that somebody asked for. One that cannot be read is told of, and is an error of its own. Its id is in the
/// first column.
pub(super) fn asked_for<T>(what: &'static str, row: &Row<'_>, read: Read<T>) -> Result<T, StoreError> {
    read.map_err(|Damaged(why)| {
        let id = row
            .get_ref(0)
            .ok()
            .and_then(|id| id.as_str().ok())
            .unwrap_or("(unknown)");
        unreadable::tell(what, id, &why);
        StoreError::Unreadable(format!("{what} {id}: {why}"))
    })
}

/// The two ways in which the domain says that a text is not one of its values.
pub(super) trait Parsed<T> {
    fn parsed(self) -> Option<T>;
}

impl<T> Parsed<T> for Option<T> {
    fn parsed(self) -> Self {
        self
    }
}

impl<T> Parsed<T> for Result<T, InvalidId> {
    fn parsed(self) -> Option<T> {
        self.ok()
    }
}
