//! Reports on messages, and the messages that they are about.

use dakghar_core::domain::message::{EvidenceStatus, StatusRecord};
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Message, MessageKey};

use super::{Breakable, MIXED, Record, thirds};
use crate::conformance::stores::accept_all;
use crate::samples::{outbound, status_record, status_record_full, tenant_id};

/// Covers `StatusStore::reports_of` and `StatusStore::statuses_of`.
pub async fn reports_beside_it_are_read(port: Breakable) {
    let message = outbound(tenant_id());
    accept_all(&port.stores, std::slice::from_ref(&message)).await;
    let key = message.key();
    let statuses: Vec<StatusRecord> = (0..MIXED).map(|_| status_record_full(key)).collect();
    for recorded in port.stores.statuses.record_statuses(&statuses).await {
        recorded.expect("the store answers");
    }
    let (mut whole, broken) = thirds(statuses);
    port.break_all(broken.iter().map(|status| Record::Status(status.id())))
        .await;
    let read = port
        .stores
        .statuses
        .reports_of(&[key])
        .await
        .expect("the store answers");
    for status in &whole {
        assert!(read[0].contains(&status.reported), "{status:?}");
    }
    let listed = port.stores.statuses.statuses_of(&key, PageLimit::items(200)).await;
    let listed = listed.expect("the store answers").items;
    whole.reverse();
    let listed: Vec<_> = listed.into_iter().filter(|status| whole.contains(status)).collect();
    assert_eq!(listed, whole);
}

/// Covers `StatusStore::record_statuses`.
pub async fn a_report_on_it_costs_no_other_report(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = port.mixed(MIXED, |_| outbound(tenant)).await;
    let on = |key: MessageKey| status_record(key, EvidenceStatus::Sent);
    let statuses: Vec<StatusRecord> = (broken.iter().chain(&whole)).map(|message| on(message.key())).collect();
    let stood = port.stores.statuses.record_statuses(&statuses).await;
    let of_whole = &stood[broken.len()..];
    assert!(
        of_whole.iter().all(|stood| matches!(stood, Ok(Some(_)))),
        "{of_whole:?}"
    );
    let keys: Vec<MessageKey> = whole.iter().map(Message::key).collect();
    let kept = port.stores.statuses.reports_of(&keys).await.expect("the store answers");
    assert!(kept.iter().all(|reports| reports.len() == 1));
    // What is reported on a message that cannot be read is kept with it.
    let of_broken = port.stores.statuses.reports_of(&[broken[0].key()]).await;
    assert_eq!(of_broken.expect("the store answers")[0].len(), 1);
}
