//! Reports on messages.

use dakghar_core::domain::MessageKey;
use dakghar_core::domain::message::{Evidence, EvidenceStatus, Reported, StatusRecord};

use super::{IDS, at, send_error_full, wamid};

/// A report on a message, different from every other.
pub fn status_record(key: MessageKey, status: EvidenceStatus) -> StatusRecord {
    let count = IDS.count();
    StatusRecord {
        key,
        reported: Reported {
            evidence: Evidence {
                status,
                wamid: wamid("wamid.S"),
                attempt: None,
                reported_at: None,
                error: None,
                by_webhook: true,
                participant: None,
            },
            received_at: at(count),
        },
        raw: format!(r#"{{"id":"wamid.S","status":"{}","n":{count}}}"#, status.as_str()).into(),
        frame: None,
    }
}

/// A report with every field set.
pub fn status_record_full(key: MessageKey) -> StatusRecord {
    let mut status = status_record(key, EvidenceStatus::Failed);
    let evidence = &mut status.reported.evidence;
    evidence.attempt = Some(3);
    evidence.reported_at = Some(at(5));
    evidence.error = Some(send_error_full());
    evidence.participant = Some("16505551234".into());
    status.frame = Some(r#"{"id":"900","changes":[{"field":"messages","value":{}}]}"#.into());
    status
}
