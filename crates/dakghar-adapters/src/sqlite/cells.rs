//! The columns of a row, read from left to right into what the domain has.

use dakghar_core::domain::ids::InvalidId;
use dakghar_core::domain::time::Timestamp;
use rusqlite::Row;
use rusqlite::types::FromSql;

use crate::stored::unreadable;

use super::failure::{Failure, Outcome};

/// The columns of a row, read from left to right.
pub(super) struct Cells<'row> {
    row: &'row Row<'row>,
    next: usize,
}

impl<'row> Cells<'row> {
    pub(super) const fn of(row: &'row Row<'row>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn get<T: FromSql>(&mut self) -> Outcome<T> {
        let column = self.next;
        self.next += 1;
        self.row.get(column).map_err(|error| match Failure::from(error) {
            Failure::Damaged(_) => Failure::Damaged(format!("the column {} is not understood", name(self.row, column))),
            failure @ Failure::Sql(_) => failure,
        })
    }

    /// A text that a domain type can read.
    pub(super) fn parse<T, P: Parsed<T>>(&mut self, parse: fn(&str) -> P) -> Outcome<T> {
        self.maybe_parse(parse)?
            .ok_or_else(|| Failure::Damaged(format!("the column {} is empty", name(self.row, self.next - 1))))
    }

    /// As [`Cells::parse`], where the column may be empty.
    pub(super) fn maybe_parse<T, P: Parsed<T>>(&mut self, parse: fn(&str) -> P) -> Outcome<Option<T>> {
        let column = self.next;
        self.next += 1;
        let value = self.row.get_ref(column).map_err(Failure::from)?;
        let unreadable = || Failure::Damaged(format!("the column {} is not understood", name(self.row, column)));
        let text = value.as_str_or_null().map_err(|_| unreadable())?;
        text.map(|text| parse(text).parsed().ok_or_else(unreadable)).transpose()
    }

    pub(super) fn time(&mut self) -> Outcome<Timestamp> {
        Ok(Timestamp::from_millis(self.get()?))
    }

    pub(super) fn maybe_time(&mut self) -> Outcome<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    /// A counter that is never negative.
    pub(super) fn count(&mut self) -> Outcome<u64> {
        Ok(self.get::<i64>()?.cast_unsigned())
    }
}

fn name<'row>(row: &'row Row<'_>, column: usize) -> &'row str {
    row.as_ref().column_name(column).unwrap_or_default()
}

/// Reads a row with `read`. One that cannot be read is told of and left out: it must not stop the others. Its id is in
/// the first column.
pub(super) fn readable<T>(
    what: &'static str,
    row: &Row<'_>,
    read: impl FnOnce(&Row<'_>) -> Outcome<T>,
) -> Outcome<Option<T>> {
    match read(row) {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Damaged(why)) => {
            let id = row.get_ref(0)?.as_str().unwrap_or("(unknown)");
            unreadable::tell(what, id, &why);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
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
