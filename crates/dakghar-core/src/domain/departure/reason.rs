//! Why a step of a departure failed, or is not done yet.

use crate::domain::reasons::reasons;

/// The advice for a step that stopped after its last try.
pub(super) const TRIED: &str = "Dakghar does not try it any more by itself. Retry it later, or go on without the step.";
/// The note of a step that is left out after its last try.
pub(super) const LEFT_OUT: &str =
    "Dakghar does not try it any more, and has gone on. If it must be undone, do it in Meta's business settings.";

reasons! {
    /// Why a step failed, or is not done yet. A name never changes its meaning.
    DepartureReason {
        /// Meta refused a call; its code says why.
        Refused = "meta_refused", "Read Meta's message and details, then retry, or go on without the step.";
        /// Meta gave no answer that says anything.
        NoAnswer = "no_answer", "Nothing to do: it is tried again by itself, and can be retried by hand once Meta answers.";
        /// Messages that were accepted before are not settled.
        MessagesWaiting = "messages_waiting", "Nothing to do: it goes on when they are sent, or when the time for that is over.";
        /// Nobody has fetched the export.
        ExportNotFetched = "export_not_fetched", "Fetch GET /tenants/{tenantId}/export to its last line, or retry with skip. It goes on by itself then.";
        /// Processes may still remember the tenant as one that stays.
        Settling = "settling", "Nothing to do: it goes on in seconds.";
        /// The rest of the tenant is being erased.
        Erasing = "erasing", "Nothing to do: it goes on until nothing is left.";
        /// The numbers that leave are all that the tenant has.
        LastNumber = "last_phone_number", "A tenant keeps one number at least. Add another one and retry, or skip this step and let the tenant leave as a whole.";
        /// Something that is stored cannot be used.
        Internal = "internal", "Something that is stored cannot be used. The operator must look into the log and run dakghar doctor; then retry.";
    }
}
