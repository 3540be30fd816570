//! Failures of operations: what they mean for the caller, and whether the write may have happened.
//!
//! Texts never carry values of documents: the server quotes keys and whole documents in some of its messages, so only
//! its error codes are passed on for those.

use std::time::Duration;

use bson::Document;
use dakghar_core::ports::StoreError;
use mongodb::error::{Error, ErrorKind, WriteFailure};

/// The server's code for a second document under a unique key.
pub(super) const DUPLICATE_KEY: i32 = 11000;
/// The server's code for a disk without space.
const FULL: i32 = 14031;
/// The system's complaint, as the server quotes it, when an error of another code comes from a full disk.
const FULL_TEXT: &str = "No space left on device";
/// The server's code for a document that its collection's validator refuses.
const INVALID_DOCUMENT: i32 = 121;
/// The server's codes for an update that the document itself does not allow, whoever tries it and whenever: a value of
/// the wrong type, a path through a value that has no fields, a changed id, two lists in one index, too many bytes, and
/// a document that its collection's validator refuses.
const DOCUMENTS_OWN: [i32; 7] = [14, 28, 66, 171, 10334, 17419, INVALID_DOCUMENT];
/// The server's codes for a member that is not, or no longer, the primary: the command was not executed.
const NOT_PRIMARY: [i32; 8] = [10107, 13435, 10058, 11600, 11602, 13436, 189, 91];
/// Longest text of the driver that is passed on, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// Why an operation did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// No answer within the time allowed.
    TimedOut(Duration),
    /// The driver's or the server's error.
    Driver(Error),
}

impl Failure {
    /// True when sending the same command once more, over another connection or to the new primary, may succeed.
    pub(super) fn may_pass_by_itself(&self) -> bool {
        match self {
            Self::TimedOut(_) => false,
            Self::Driver(error) => match error.kind.as_ref() {
                ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => true,
                ErrorKind::Command(command) => NOT_PRIMARY.contains(&command.code),
                _ => false,
            },
        }
    }

    /// Its meaning for the caller.
    pub(super) fn to_store_error(&self) -> StoreError {
        match self {
            Self::TimedOut(limit) => StoreError::Unavailable(format!("no answer within {} ms", limit.as_millis())),
            Self::Driver(error) => driver_error(error),
        }
    }

    /// True for a duplicate key, for writes of a single document.
    pub(super) fn is_duplicate_key(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        match error.kind.as_ref() {
            ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == DUPLICATE_KEY,
            ErrorKind::Command(command) => command.code == DUPLICATE_KEY,
            _ => false,
        }
    }

    /// True when the server is certain not to have executed the write.
    pub(super) fn is_refusal(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        matches!(
            error.kind.as_ref(),
            ErrorKind::Write(WriteFailure::WriteError(_)) | ErrorKind::Bson(_) | ErrorKind::InvalidArgument { .. }
        )
    }
}

fn driver_error(error: &Error) -> StoreError {
    match error.kind.as_ref() {
        ErrorKind::Bson(_) | ErrorKind::InvalidResponse { .. } => {
            StoreError::Corrupt(clip("an answer cannot be read: ", &error.kind.to_string()))
        }
        ErrorKind::InvalidArgument { .. } => StoreError::Corrupt("the driver refused the operation".to_owned()),
        ErrorKind::Command(command) => coded(command.code, &command.code_name, &command.message),
        ErrorKind::Write(WriteFailure::WriteError(write)) => coded(
            write.code,
            write.code_name.as_deref().unwrap_or_default(),
            &write.message,
        ),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => {
            coded(concern.code, &concern.code_name, &concern.message)
        }
        ErrorKind::InsertMany(insert) => {
            let concern = insert.write_concern_error.as_ref();
            concern.map_or_else(
                || StoreError::Unavailable("a batch was not written".to_owned()),
                |concern| coded(concern.code, &concern.code_name, &concern.message),
            )
        }
        kind => StoreError::Unavailable(clip("", &kind.to_string())),
    }
}

/// An error that the server reports by code. Its message is looked at, but not passed on.
pub(super) fn coded(code: i32, name: &str, message: &str) -> StoreError {
    let text = format!("the server reports error {code} {name}");
    if code == FULL || message.contains(FULL_TEXT) {
        StoreError::Full(text)
    } else if code == INVALID_DOCUMENT {
        StoreError::Corrupt(text)
    } else {
        StoreError::Unavailable(text)
    }
}

/// An error that the server reports for one statement of an update. If the document itself is the reason, it is
/// [`StoreError::Unreadable`] and concerns nobody else; everything else may pass.
pub(super) fn refused_update(code: i32, name: &str, message: &str) -> StoreError {
    if DOCUMENTS_OWN.contains(&code) {
        return StoreError::Unreadable(format!("the server refuses to change it, with error {code} {name}"));
    }
    coded(code, name, message)
}

/// The write concern's complaint in a reply to a command: written, but nobody knows whether for good.
pub(super) fn unconfirmed(reply: &Document) -> Option<StoreError> {
    let concern = reply.get_document("writeConcernError").ok()?;
    Some(coded(
        concern.get_i32("code").unwrap_or_default(),
        concern.get_str("codeName").unwrap_or("WriteConcernFailed"),
        concern.get_str("errmsg").unwrap_or_default(),
    ))
}

fn clip(prefix: &str, text: &str) -> String {
    let end = text
        .char_indices()
        .nth(TEXT_CHARS_MAX)
        .map_or(text.len(), |(end, _)| end);
    format!("{prefix}{}", &text[..end])
}
