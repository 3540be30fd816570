//! What is told of each record, once.
#![expect(missing_docs, reason = "the name of a case says what it shows")]

use dakghar_core::domain::message::EvidenceStatus;
use dakghar_core::domain::{FeedEntry, Message, Status, Tenant, WebhookEvent};
use dakghar_core::ports::{Received, Save, Saved, StoreError, TenantSaved};
use futures_util::future::join_all;

use super::{of_events, place_all, record, told};
use crate::conformance::stores::{Stores, accept_all};
use crate::samples::{
    With as _, amendment, echo, event, event_bare, inbound, inbound_bare, number, outbound, phone, status_record,
    status_record_full, tenant_id, tenant_with_numbers,
};

async fn receive(stores: &Stores, messages: &[Message]) -> Vec<Received> {
    let received = stores
        .messages
        .receive(messages.iter().cloned().map(Into::into).collect())
        .await;
    let received: Result<Vec<_>, StoreError> = received.into_iter().collect();
    received.expect("the store answers")
}

pub async fn every_field_of_an_entry_survives(stores: Stores) {
    let tenant = tenant_id();
    let mut expected = Vec::new();
    for message in [
        inbound(tenant, "wamid.A"),
        inbound_bare(tenant, "wamid.B"),
        echo(tenant, "wamid.C"),
    ] {
        receive(&stores, std::slice::from_ref(&message)).await;
        expected.push(FeedEntry::of_message(&message));
    }
    let mut message = outbound(tenant);
    accept_all(&stores, std::slice::from_ref(&message)).await;
    message.delivery.status = Status::Dead;
    let save = Save::after(Status::Queued, &message);
    expected.extend(save.entry.clone());
    assert_eq!(stores.messages.save(&[save]).await, [Ok(Saved::Done)]);
    for report in [
        status_record(message.key(), EvidenceStatus::Sent),
        status_record_full(message.key()),
    ] {
        stores.statuses.record_statuses(std::slice::from_ref(&report)).await;
        expected.push(FeedEntry::of_report(&report));
    }
    let edit = WebhookEvent {
        amends: Some(amendment("wamid.A", "wamid.D", 5, Some("edited"))),
        ..event(tenant)
    };
    record(&stores, &[event(tenant)]).await;
    record(&stores, std::slice::from_ref(&edit)).await;
    let told = told(&stores, &tenant).await;
    assert_eq!(told[..expected.len()], expected);
    assert_eq!(told.last(), FeedEntry::of_event(&edit).as_ref());
    assert_eq!(told.len(), expected.len() + 2);
    let mut ids: Vec<_> = told.iter().map(FeedEntry::id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), told.len(), "every entry has an id of its own");
}

pub async fn what_is_received_has_one_entry_however_often_it_comes(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let first = inbound(tenant, "wamid.A");
    receive(&stores, std::slice::from_ref(&first)).await;
    // Old and new ones of two tenants together, and one twice.
    let again = inbound(tenant, "wamid.A").with(|message| {
        message.accepted.phone_number_id = first.accepted.phone_number_id.clone();
    });
    let (new, foreign) = (inbound(tenant, "wamid.B"), inbound(other, "wamid.C"));
    let received = receive(&stores, &[again.clone(), new.clone(), new.clone(), foreign.clone()]).await;
    let is_new = |received: &Received| *received == Received::New;
    assert_eq!(
        received.iter().map(is_new).collect::<Vec<_>>(),
        [false, true, false, true]
    );
    receive(&stores, &[again, new.clone(), foreign.clone()]).await;
    let expected = [&first, &new].map(FeedEntry::of_message);
    assert_eq!(told(&stores, &tenant).await, expected);
    assert_eq!(told(&stores, &other).await, [FeedEntry::of_message(&foreign)]);
}

pub async fn a_report_has_one_entry_however_often_it_comes(stores: Stores) {
    let tenant = tenant_id();
    let message = outbound(tenant);
    accept_all(&stores, std::slice::from_ref(&message)).await;
    let [one, two, three] = [(); 3].map(|()| status_record(message.key(), EvidenceStatus::Delivered));
    let reports: [&[_]; 4] = [
        &[one.clone(), one.clone()],
        &[one.clone(), two.clone()],
        &[two.clone(), three.clone(), one.clone()],
        std::slice::from_ref(&one),
    ];
    for reports in reports {
        for recorded in stores.statuses.record_statuses(reports).await {
            assert!(recorded.expect("the store answers").is_some());
        }
    }
    let expected = [&one, &two, &three].map(FeedEntry::of_report);
    assert_eq!(told(&stores, &tenant).await, expected);
}

pub async fn an_event_has_one_entry_unless_it_is_nobodys(stores: Stores) {
    let tenant = tenant_id();
    let [one, two] = [event(tenant), event(tenant)];
    let again = WebhookEvent {
        fingerprint: one.fingerprint,
        ..event(tenant)
    };
    record(&stores, &[one.clone(), event_bare(), again.clone()]).await;
    record(&stores, &[again, two.clone(), event_bare()]).await;
    assert_eq!(told(&stores, &tenant).await, of_events(&[one, two]));
}

pub async fn a_tenant_is_saved_with_what_is_told_of_it_or_nothing_is(stores: Stores) {
    let other = tenant_with_numbers(vec![number(phone("2"))]);
    let mut mine = tenant_with_numbers(vec![number(phone("1"))]);
    for tenant in [&other, &mine] {
        assert_eq!(stores.tenants.insert(tenant).await, Ok(TenantSaved::Done));
    }
    let [one, two, never] = [(); 3].map(|()| event(mine.id));
    let all = [one.clone(), two.clone()];
    assert_eq!(stores.tenants.save(&mine, &all).await, Ok(TenantSaved::Done));
    let untold = [never.clone()];
    assert_eq!(stores.tenants.save(&mine, &untold).await, Ok(TenantSaved::Stale));
    mine.version += 1;
    let greedy = Tenant {
        phone_numbers: vec![number(phone("2"))],
        ..mine.clone()
    };
    let taken = TenantSaved::PhoneNumberTaken(phone("2"));
    assert_eq!(stores.tenants.save(&greedy, &untold).await, Ok(taken));
    assert_eq!(told(&stores, &mine.id).await, of_events(&all));
    let ids = [one.id, two.id, never.id];
    let found = stores.events.find_events(&mine.id, &ids).await;
    assert_eq!(found, [Ok(Some(one)), Ok(Some(two)), Ok(None)]);
    assert_eq!(stores.tenants.find(&mine.id).await, Ok(Some(mine)));
}

pub async fn a_save_has_its_entry_and_a_stale_one_has_none(stores: Stores) {
    let tenant = tenant_id();
    let messages: Vec<Message> = (0..4).map(|_| outbound(tenant)).collect();
    accept_all(&stores, &messages).await;
    let sent = |message: &Message| {
        let message = message.clone().with(|message| message.delivery.status = Status::Sent);
        Save::after(Status::Queued, &message)
    };
    let stale = messages[1].clone().with(|message| {
        message.delivery.version += 1;
        message.delivery.status = Status::Dead;
    });
    let gone = outbound(tenant).with(|message| message.delivery.status = Status::Dead);
    let quiet = messages[2]
        .clone()
        .with(|message| message.delivery.status = Status::Sending);
    let batch = [
        sent(&messages[0]),
        Save::after(Status::Queued, &stale),
        Save::after(Status::Queued, &gone),
        Save::after(Status::Queued, &quiet),
        sent(&messages[3]),
    ];
    let saved = stores.messages.save(&batch).await;
    let (done, stale) = (Ok(Saved::Done), Ok(Saved::Stale));
    assert_eq!(saved, [done.clone(), stale.clone(), stale.clone(), done.clone(), done]);
    // The whole batch once more, as after an answer that was lost.
    assert_eq!(stores.messages.save(&batch).await, vec![stale; 5]);
    let mut told = told(&stores, &tenant).await;
    told.sort_by(|one, other| one.subject.cmp(&other.subject));
    let mut expected: Vec<FeedEntry> = [&batch[0], &batch[4]]
        .iter()
        .filter_map(|save| save.entry.clone())
        .collect();
    expected.sort_by(|one, other| one.subject.cmp(&other.subject));
    assert_eq!((told.len(), told), (2, expected));
}

pub async fn a_message_that_cannot_be_saved_takes_no_entry_from_others(stores: Stores) {
    let (tenant, other) = (tenant_id(), tenant_id());
    let messages: Vec<Message> = [tenant, other, tenant, other].map(outbound).to_vec();
    accept_all(&stores, &messages).await;
    let mut saves: Vec<Save> = messages
        .iter()
        .map(|message| {
            let message = message.clone().with(|message| message.delivery.status = Status::Failed);
            Save::after(Status::Queued, &message)
        })
        .collect();
    // Another writer was faster with two of them.
    for save in &mut saves[..2] {
        save.delivery.version += 7;
    }
    let saved = stores.messages.save(&saves).await;
    assert_eq!(saved.iter().filter(|saved| **saved == Ok(Saved::Done)).count(), 2);
    for (tenant, save) in [(tenant, &saves[2]), (other, &saves[3])] {
        assert_eq!(
            told(&stores, &tenant).await,
            [save.entry.clone().expect("it has failed")]
        );
    }
}

pub async fn ten_at_once_of_the_same_have_one_entry_each(stores: Stores) {
    let tenant = tenant_id();
    let message = outbound(tenant);
    accept_all(&stores, std::slice::from_ref(&message)).await;
    let messages: Vec<Message> = (0..12).map(|n| inbound(tenant, &format!("wamid.{n}"))).collect();
    let reports: Vec<_> = (0..12)
        .map(|_| status_record(message.key(), EvidenceStatus::Read))
        .collect();
    let events: Vec<_> = (0..12).map(|_| event(tenant)).collect();
    let sent = message.clone().with(|message| message.delivery.status = Status::Sent);
    let writing = (0..10_usize).map(|n| {
        let (messages, reports, events) = (messages.clone(), reports.clone(), events.clone());
        let (stores, sent) = (stores.clone(), sent.clone());
        async move {
            // Each has some in common with others, in an order of its own.
            let from = n % 4 * 2;
            let mut some: Vec<_> = messages[from..from + 6].to_vec();
            some.rotate_left(n % 6);
            let received = stores.messages.receive(some.into_iter().map(Into::into).collect());
            let recorded = stores.statuses.record_statuses(&reports[from..from + 6]);
            let kept = stores.events.record(&events[from..from + 6]);
            let save = [Save::after(Status::Queued, &sent)];
            let saved = stores.messages.save(&save);
            let (received, recorded, kept, saved, ()) =
                futures_util::join!(received, recorded, kept, saved, place_all(&stores));
            assert!(received.iter().all(Result::is_ok), "{received:?}");
            assert!(recorded.iter().all(Result::is_ok), "{recorded:?}");
            assert_eq!(kept, Ok(()));
            assert!(saved[0].is_ok(), "{saved:?}");
        }
    });
    join_all(writing).await;
    let mut told = told(&stores, &tenant).await;
    assert_eq!(told.len(), 37, "{told:#?}");
    told.sort_by(|one, other| one.subject.cmp(&other.subject));
    told.dedup();
    assert_eq!(told.len(), 37, "no entry is there twice");
}
