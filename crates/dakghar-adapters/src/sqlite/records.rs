//! Records that several stores read alike: one of them, a page, or as many as there are.

use dakghar_core::domain::page::{Listed, PageFill, PageLimit, Paged};
use dakghar_core::ports::StoreError;
use rusqlite::{Connection, Params, Row};

use super::cells::{Read, asked_for, readable};
use super::failure::Outcome;

/// Records of one kind, whose rows have their ids in the first column.
pub(super) struct Records<T> {
    /// For logs and errors, in the singular.
    pub name: &'static str,
    pub read: fn(&Row<'_>) -> Read<T>,
}

impl<T> Records<T> {
    /// Returns the first record, if there is any. One that cannot be read is an error of its own.
    pub fn one(&self, conn: &Connection, sql: &str, params: impl Params) -> Outcome<Option<Result<T, StoreError>>> {
        let mut select = conn.prepare_cached(sql)?;
        let mut rows = select.query(params)?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(asked_for(self.name, row, (self.read)(row))))
    }

    /// Returns no more than `limit` records that can be read.
    pub fn first(&self, conn: &Connection, sql: &str, params: impl Params, limit: usize) -> Outcome<Vec<T>> {
        let mut select = conn.prepare_cached(sql)?;
        let mut rows = select.query(params)?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            found.extend(readable(self.name, row, (self.read)(row)));
        }
        Ok(found)
    }
}

impl<T: Paged> Records<T> {
    /// Returns a page of the records that can be read.
    pub fn page(&self, conn: &Connection, sql: &str, params: impl Params, limit: PageLimit) -> Outcome<Listed<T>> {
        let mut select = conn.prepare_cached(sql)?;
        let mut rows = select.query(params)?;
        let mut page = PageFill::new(limit);
        while let Some(row) = rows.next()? {
            if page.is_full() {
                return Ok(page.more());
            }
            if let Some(item) = readable(self.name, row, (self.read)(row)) {
                page.push(item);
            }
        }
        Ok(page.end())
    }
}
