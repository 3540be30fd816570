//! The labels of what is counted of inserts.

use super::instruments::Label;
use super::labels::label;

label! {
    /// What became of an insert that the store did not confirm.
    InsertRepeated "result" {
        /// Its message is stored, or another one was before under its key.
        Stored = "stored",
        /// The store refused it.
        Refused = "refused",
        /// No repetition in the time for that was confirmed either.
        Unconfirmed = "unconfirmed",
        /// It was not repeated: too many wait for that already, or the store has stopped for good.
        NotRepeated = "not_repeated",
    }
}
