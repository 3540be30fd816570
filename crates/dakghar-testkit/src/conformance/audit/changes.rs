//! Changes that are carried out with their records.

use dakghar_core::domain::feed::Place;
use dakghar_core::domain::hold::SendingHold;
use dakghar_core::domain::page::PageLimit;
use dakghar_core::domain::{Endpoint, Role, Status, Tenant};
use dakghar_core::ports::{AuditedChange as Change, Carried, Save};

use super::{all, whole};
use crate::conformance::stores::{Stores, accept_as, load};
use crate::samples::{
    at, audit_entry, departure, endpoint, erasure, event, meta_app, operator_key, opt_out, outbound, redrive, signup,
    tenant, tenant_id,
};

async fn carry_out(stores: &Stores, change: Change) -> Carried {
    let before = whole(stores).await.head.number;
    let entry = audit_entry();
    let carried = stores.audit.carry_out(&change, &entry).await;
    let carried = carried.expect("the store answers");
    let records = all(stores).await;
    let is_recorded = records.last().is_some_and(|record| record.id == entry.id);
    assert_eq!(is_recorded, carried == Carried::Done, "{change:?}");
    let added = whole(stores).await.head.number - before;
    assert_eq!(added, u64::from(is_recorded), "{change:?}");
    carried
}

async fn done(stores: &Stores, change: Change) {
    let shown = format!("{change:?}");
    assert_eq!(carry_out(stores, change).await, Carried::Done, "{shown}");
}

pub async fn what_is_not_carried_out_is_not_recorded(stores: Stores) {
    let (owner, key, app) = (tenant(), operator_key(Role::Admin), meta_app());
    let mut thief = tenant();
    thief.phone_numbers = owner.phone_numbers.clone();
    let made = endpoint(owner.id);
    for change in [
        Change::SaveTenant(Box::new(owner.clone()), Vec::new()),
        Change::SaveOperatorKey(Box::new(key.clone())),
        Change::RemoveOperatorKey(key.key.id),
        Change::SaveApp(Box::new(app.clone())),
        Change::RemoveApp(app.id.clone()),
        Change::SaveEndpoint(Box::new(made.clone())),
        Change::RemoveEndpoint(owner.id, made.id, None),
        Change::SaveRedrive(Box::new(redrive(None))),
        Change::SaveMessage(Box::new(Save::quiet(&outbound(owner.id)))),
    ] {
        assert_eq!(carry_out(&stores, change).await, Carried::Stale, "there is none");
    }
    done(&stores, Change::InsertTenant(Box::new(owner.clone()))).await;
    let taken = Carried::PhoneNumberTaken(thief.phone_numbers[0].phone_number_id.clone());
    assert_eq!(carry_out(&stores, Change::InsertTenant(Box::new(thief))).await, taken);
    done(&stores, Change::InsertEndpoint(Box::new(made.clone()))).await;
    let beside = Endpoint {
        seat: made.seat,
        ..endpoint(owner.id)
    };
    let seat = carry_out(&stores, Change::InsertEndpoint(Box::new(beside))).await;
    assert_eq!(seat, Carried::SeatTaken);
    let stale = Change::RemoveEndpoint(owner.id, made.id, Some(made.version + 1));
    assert_eq!(carry_out(&stores, stale).await, Carried::Stale);
    for change in [
        Change::InsertTenant(Box::new(owner.clone())),
        Change::InsertEndpoint(Box::new(made)),
    ] {
        assert_eq!(carry_out(&stores, change).await, Carried::Stale, "it is there");
    }
}

async fn departures_are_carried_out(stores: &Stores, owner: &Tenant) {
    let mut begun = departure(owner.id);
    done(stores, Change::InsertDeparture(Box::new(begun.clone()))).await;
    let another = carry_out(stores, Change::InsertDeparture(Box::new(departure(owner.id)))).await;
    assert_eq!(another, Carried::Stale, "the first one is not over");
    done(stores, Change::SaveDeparture(Box::new(begun.clone()))).await;
    begun.version = 1;
    let found = stores.departures.find_departure(&owner.id, &begun.id).await;
    assert_eq!(found, Ok(Some(begun)));
}

pub async fn every_change_is_carried_out_with_its_record(stores: Stores) {
    let mut owner = tenant();
    done(&stores, Change::Nothing).await;
    done(&stores, Change::InsertTenant(Box::new(owner.clone()))).await;
    "other".clone_into(&mut owner.name);
    let told = event(owner.id);
    done(&stores, Change::SaveTenant(Box::new(owner.clone()), vec![told.clone()])).await;
    owner.version += 1;
    assert_eq!(stores.tenants.find(&owner.id).await, Ok(Some(owner.clone())));
    let listed = stores.events.list(Some(&owner.id), None, PageLimit::items(9)).await;
    assert_eq!(listed.expect("the store answers").items, [told]);

    let mut key = operator_key(Role::Admin);
    done(&stores, Change::InsertOperatorKey(Box::new(key.clone()))).await;
    done(&stores, Change::SaveOperatorKey(Box::new(key.clone()))).await;
    key.version += 1;
    assert_eq!(stores.operators.operator_keys().await, Ok(vec![key.clone()]));
    done(&stores, Change::RemoveOperatorKey(key.key.id)).await;
    assert_eq!(stores.operators.operator_keys().await, Ok(vec![]));

    let mut app = meta_app();
    done(&stores, Change::InsertApp(Box::new(app.clone()))).await;
    done(&stores, Change::SaveApp(Box::new(app.clone()))).await;
    app.version += 1;
    assert_eq!(stores.apps.find_app(&app.id).await, Ok(Some(app.clone())));
    done(&stores, Change::RemoveApp(app.id.clone())).await;
    assert_eq!(stores.apps.find_app(&app.id).await, Ok(None));

    let mut made = endpoint(owner.id);
    done(&stores, Change::InsertEndpoint(Box::new(made.clone()))).await;
    done(&stores, Change::SaveEndpoint(Box::new(made.clone()))).await;
    made.version += 1;
    assert_eq!(stores.endpoints.endpoints_of(&[owner.id]).await, Ok(vec![made.clone()]));
    done(&stores, Change::RemoveEndpoint(owner.id, made.id, Some(made.version))).await;
    assert_eq!(stores.endpoints.endpoints_of(&[owner.id]).await, Ok(vec![]));

    let hold = SendingHold { since: at(7) };
    done(&stores, Change::KeepSendingHold(Some(hold))).await;
    assert_eq!(stores.holds.sending_hold().await, Ok(Some(hold)));
    done(&stores, Change::KeepSendingHold(None)).await;
    assert_eq!(stores.holds.sending_hold().await, Ok(None));

    let mut begun = redrive(Some(tenant_id()));
    done(&stores, Change::InsertRedrive(Box::new(begun.clone()))).await;
    done(&stores, Change::SaveRedrive(Box::new(begun.clone()))).await;
    begun.version += 1;
    assert_eq!(stores.redrives.find_redrive(&begun.id).await, Ok(Some(begun)));
    let said = opt_out(owner.id, "1", 5);
    done(&stores, Change::NoteOptOuts(vec![said.clone()])).await;
    let found = stores.opt_outs.find_opt_outs(&owner.id, &[said.key.mark]).await;
    assert_eq!(found, Ok(vec![said]));
    let asked = erasure(owner.id);
    done(&stores, Change::InsertErasure(Box::new(asked.clone()))).await;
    let found = stores.person_erasures.find_erasure(&owner.id, &asked.id).await;
    assert_eq!(found, Ok(Some(asked)));
    let mut begun = signup(owner.id);
    done(&stores, Change::InsertSignup(Box::new(begun.clone()))).await;
    let again = carry_out(&stores, Change::InsertSignup(Box::new(begun.clone()))).await;
    assert_eq!(again, Carried::Stale, "there is one of this code");
    done(&stores, Change::SaveSignup(Box::new(begun.clone()))).await;
    begun.version += 1;
    assert_eq!(stores.signups.find_signup(&owner.id, &begun.id).await, Ok(Some(begun)));
    departures_are_carried_out(&stores, &owner).await;
}

pub async fn a_message_is_saved_with_its_record_and_its_entry(stores: Stores) {
    let mut message = accept_as(&stores, Status::Held, outbound(tenant_id())).await;
    let mut ended = message.clone();
    ended.delivery.status = Status::Cancelled;
    let save = Save::after(Status::Held, &ended);
    assert!(save.entry.is_some(), "its tenant is told");
    done(&stores, Change::SaveMessage(Box::new(save.clone()))).await;
    assert_eq!(
        carry_out(&stores, Change::SaveMessage(Box::new(save))).await,
        Carried::Stale
    );
    message.delivery.status = Status::Cancelled;
    message.delivery.version += 1;
    let key = message.key();
    assert_eq!(load(&stores, key).await, Some(message));
    match &stores.arrivals {
        Some(arrivals) => {
            let waiting = arrivals.waiting().await.expect("the store answers");
            assert!(waiting.oldest.is_some(), "it has no place yet");
        }
        None => {
            let entries = stores
                .feed
                .entries(&key.tenant_id, Place::START, PageLimit::items(9))
                .await;
            assert_eq!(entries.expect("the store answers").items.len(), 1);
        }
    }
}
