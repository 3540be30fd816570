//! Updates of many documents in one command.
//!
//! The `update` command is used as it is: the driver's own way to send many updates at once needs a server of
//! version 8. The driver does not repeat a command that it did not build, so repeating is done here. That is safe
//! because every statement is idempotent, names the version that it replaces, or does no harm twice (waking).

use std::time::{Duration, Instant};

use bson::raw::cstr;
use bson::{Document, RawArrayBuf, RawDocumentBuf, rawdoc};
use dakghar_core::ports::StoreError;
use mongodb::ClientSession;

use super::MongoStore;
use super::failure::{DUPLICATE_KEY, Failure, refused_update, unconfirmed};
use super::transactions::Aborted;

/// Statements in one command.
const STATEMENTS_MAX: usize = 1_000;
/// Bytes of statements in one command; the server's bound is 16 MiB.
const STATEMENT_BYTES_MAX: usize = 12 * 1024 * 1024;

/// The server's reply to an `update` command.
#[derive(Debug)]
pub(super) struct UpdateReply {
    /// Statements that matched a document or inserted one.
    pub(super) matched: usize,
    /// Statements that were refused.
    pub(super) refused: Vec<RefusedStatement>,
    /// Written, but not known to be there for good.
    pub(super) unconfirmed: Option<StoreError>,
}

/// A statement that the server refused.
#[derive(Debug)]
pub(super) struct RefusedStatement {
    /// Which one.
    pub(super) index: usize,
    /// Its meaning for the caller: `Unreadable` if a document of the statement does not allow it.
    pub(super) error: StoreError,
    /// True if the document that it was to insert is there already, and is not one that it matches.
    pub(super) is_duplicate: bool,
}

impl MongoStore {
    /// Executes statements (`{q, u, …}`) in one `update` command, in any order. Repeats it once after a lost
    /// connection or a change of the primary; a statement that was executed before does not match again then.
    pub(super) async fn update_all(
        &self,
        collection: &str,
        statements: &[RawDocumentBuf],
    ) -> Result<UpdateReply, Failure> {
        #[expect(clippy::disallowed_methods, reason = "measures its patience")]
        let started = Instant::now();
        let command = command(collection, statements, self.options.write_concern_timeout());
        let first = self.run_update(command.clone(), started).await;
        match first {
            Err(failure) if failure.may_pass_by_itself() => self.run_update(command, started).await,
            other => other,
        }
    }

    /// Executes statements inside of a transaction, in any order. Returns how many of them matched a document or inserted one.
    /// A statement that is refused undoes the transaction.
    pub(super) async fn update_within(
        &self,
        session: &mut ClientSession,
        collection: &str,
        statements: &[RawDocumentBuf],
    ) -> Result<usize, Aborted> {
        let (mut matched, mut from) = (0, 0);
        for length in chunk_lengths(statements) {
            let range = from..from + length;
            from = range.end;
            let run = self
                .database
                .run_raw_command(updates(collection, &statements[range.clone()]));
            let reply = match run.session(&mut *session).await {
                Ok(reply) => read_reply(&reply),
                Err(error) => return Err(self.undone(session, error).await),
            };
            if let Some(refused) = reply.refused.into_iter().next() {
                self.undo(session).await;
                return Err(if refused.is_duplicate {
                    Aborted::Duplicate
                } else {
                    Aborted::Refused(range.start + refused.index, refused.error)
                });
            }
            matched += reply.matched;
        }
        Ok(matched)
    }

    async fn run_update(&self, command: RawDocumentBuf, started: Instant) -> Result<UpdateReply, Failure> {
        let left = self.options.write_timeout.saturating_sub(started.elapsed());
        let run = self.database.run_raw_command(command);
        let reply = self.bounded(left, async { run.await }).await?;
        Ok(read_reply(&reply))
    }
}

/// Cuts statements into commands that the server takes. Returns the length of each.
pub(super) fn chunk_lengths(statements: &[RawDocumentBuf]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let (mut length, mut bytes) = (0, 0);
    for statement in statements {
        let size = statement.as_bytes().len();
        if length > 0 && (length == STATEMENTS_MAX || bytes + size > STATEMENT_BYTES_MAX) {
            lengths.push(length);
            (length, bytes) = (0, 0);
        }
        length += 1;
        bytes += size;
    }
    if length > 0 {
        lengths.push(length);
    }
    lengths
}

/// The `update` command.
fn command(collection: &str, statements: &[RawDocumentBuf], wtimeout: Duration) -> RawDocumentBuf {
    let wtimeout_ms = i64::try_from(wtimeout.as_millis()).unwrap_or(i64::MAX);
    let mut command = updates(collection, statements);
    let concern = rawdoc! { "w": "majority", "j": true, "wtimeout": wtimeout_ms };
    command.append(cstr!("writeConcern"), concern);
    command
}

/// The `update` command, as it is part of a transaction: that has the write concern.
fn updates(collection: &str, statements: &[RawDocumentBuf]) -> RawDocumentBuf {
    let mut updates = RawArrayBuf::new();
    for statement in statements {
        updates.push(statement);
    }
    rawdoc! { "update": collection, "ordered": false, "updates": updates }
}

fn read_reply(reply: &Document) -> UpdateReply {
    let number = |document: &Document, field: &str| -> i64 {
        document
            .get_i32(field)
            .map(i64::from)
            .or_else(|_| document.get_i64(field))
            .unwrap_or_default()
    };
    let errors = reply.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    let refused = errors.iter().filter_map(bson::Bson::as_document).map(|error| {
        let code = i32::try_from(number(error, "code")).unwrap_or_default();
        let name = error.get_str("codeName").unwrap_or_default();
        let message = error.get_str("errmsg").unwrap_or_default();
        RefusedStatement {
            index: usize::try_from(number(error, "index")).unwrap_or_default(),
            error: refused_update(code, name, message),
            is_duplicate: code == DUPLICATE_KEY,
        }
    });
    UpdateReply {
        matched: usize::try_from(number(reply, "n")).unwrap_or_default(),
        refused: refused.collect(),
        unconfirmed: unconfirmed(reply),
    }
}

#[cfg(test)]
mod tests {
    use bson::{Bson, doc};

    use super::*;

    #[test]
    fn a_refusal_is_a_documents_own_or_may_pass() {
        let refusals = [
            (121, "DocumentValidationFailure", ""),
            (14, "TypeMismatch", ""),
            (14031, "OutOfDiskSpace", ""),
            (2, "BadValue", "No space left on device"),
            (50, "MaxTimeMSExpired", ""),
            (11602, "InterruptedDueToReplStateChange", ""),
        ];
        let errors = refusals
            .iter()
            .zip(0..)
            .map(|((code, name, why), index)| doc! { "index": index, "code": code, "codeName": name, "errmsg": why });
        let reply = read_reply(&doc! { "n": 3, "writeErrors": errors.map(Bson::from).collect::<Vec<_>>() });
        assert_eq!((reply.matched, reply.refused.len()), (3, refusals.len()));
        for (refused, (code, ..)) in reply.refused.iter().zip(refusals) {
            match (&refused.error, code) {
                (StoreError::Unreadable(_), 121 | 14)
                | (StoreError::Full(_), 14031 | 2)
                | (StoreError::Unavailable(_), 50 | 11602) => {}
                (error, code) => panic!("{code}: {error}"),
            }
        }
    }

    fn statement(bytes: usize) -> RawDocumentBuf {
        rawdoc! { "u": "x".repeat(bytes) }
    }

    #[test]
    fn commands_hold_a_thousand_statements_or_twelve_mebibytes() {
        assert_eq!(chunk_lengths(&[]), Vec::<usize>::new());
        assert_eq!(chunk_lengths(&vec![statement(10); 2_500]), [1_000, 1_000, 500]);
        let half = STATEMENT_BYTES_MAX / 2;
        assert_eq!(chunk_lengths(&vec![statement(half); 3]), [1, 1, 1]);
        assert_eq!(chunk_lengths(&vec![statement(half - 100); 3]), [2, 1]);
        assert_eq!(
            chunk_lengths(&[statement(STATEMENT_BYTES_MAX + 1), statement(1)]),
            [1, 1]
        );
    }
}
