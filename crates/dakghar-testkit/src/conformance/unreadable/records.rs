//! Tenants, conversations, events, and erasing.

use dakghar_core::domain::message::{LetterClass, Status};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::domain::{
    ConversationTouch, Direction, KeyUse, PhoneNumber, Tenant, TenantId, WebhookEvent, WindowOpening,
};
use dakghar_core::ports::{Acceptance, Aged, AgedPortion, TenantSaved};

use super::super::read_pages;
use super::super::stores::touch;
use super::{Breakable, MIXED, Record, is_unreadable, thirds};
use crate::samples::{
    With as _, amendment, at, event, event_bare, number, outbound, person, phone, phone_number_id, tenant, tenant_id,
    tenant_with_numbers, waba, wamid,
};

/// Tenants, each with two numbers in one account, of which every one but each third is broken then.
async fn mixed_tenants(port: &Breakable) -> (Vec<Tenant>, Vec<Tenant>) {
    let of = |n: usize| {
        let number = |digits: usize| PhoneNumber {
            waba_id: Some(waba("77")),
            ..number(phone(&digits.to_string()))
        };
        tenant_with_numbers(vec![number(10 + 2 * n), number(11 + 2 * n)])
    };
    let tenants: Vec<Tenant> = (0..MIXED).map(of).collect();
    for tenant in &tenants {
        assert_eq!(port.stores.tenants.insert(tenant).await, Ok(TenantSaved::Done));
    }
    let (whole, broken) = thirds(tenants);
    port.break_all(broken.iter().map(|tenant| Record::Tenant(tenant.id)))
        .await;
    (whole, broken)
}

fn tenant_ids(tenants: &[Tenant]) -> Vec<TenantId> {
    tenants.iter().map(|tenant| tenant.id).collect()
}

/// Covers `TenantStore::find_all` and `TenantStore::find`.
pub async fn it_is_a_tenant_error_of_its_own(port: Breakable) {
    let (whole, broken) = mixed_tenants(&port).await;
    let asked = [tenant_ids(&broken), tenant_ids(&whole)].concat();
    let found = port.stores.tenants.find_all(&asked).await;
    for found in &found[..broken.len()] {
        assert!(is_unreadable(found), "{found:?}");
    }
    let expected: Vec<_> = whole.into_iter().map(|tenant| Ok(Some(tenant))).collect();
    assert_eq!(found[broken.len()..], expected);
    let one = port.stores.tenants.find(&broken[0].id).await;
    assert!(is_unreadable(&one), "{one:?}");
}

/// Covers `TenantStore::list`.
pub async fn the_list_of_tenants_leaves_it_out(port: Breakable) {
    let (whole, _) = mixed_tenants(&port).await;
    let fetch = async |before| {
        let listed = port.stores.tenants.list(before, PageLimit::items(3)).await;
        listed.expect("the store answers")
    };
    let mut listed = read_pages(3, fetch).await;
    listed.reverse();
    assert_eq!(tenant_ids(&listed), tenant_ids(&whole));
}

/// Covers `TenantStore::save`, `TenantStore::insert` and `TenantStore::remove`.
pub async fn tenants_beside_it_are_saved(port: Breakable) {
    let (whole, broken) = mixed_tenants(&port).await;
    assert_eq!(port.stores.tenants.save(&whole[0], &[]).await, Ok(TenantSaved::Done));
    assert_eq!(port.stores.tenants.insert(&tenant()).await, Ok(TenantSaved::Done));
    // Its numbers are still its own.
    let greedy = Tenant {
        phone_numbers: broken[0].phone_numbers.clone(),
        ..tenant()
    };
    let taken = TenantSaved::PhoneNumberTaken(broken[0].phone_numbers[0].phone_number_id.clone());
    assert_eq!(port.stores.tenants.insert(&greedy).await, Ok(taken));
    assert_eq!(port.stores.tenants.remove(&broken[0].id).await, Ok(()));
    assert_eq!(port.stores.tenants.find(&broken[0].id).await, Ok(None));
}

/// Covers `TenantStore::note_key_uses`.
pub async fn keys_beside_it_are_noted_as_used(port: Breakable) {
    let (whole, broken) = mixed_tenants(&port).await;
    let used: Vec<&Tenant> = broken.iter().chain(&whole).collect();
    let uses = used.iter().map(|tenant| KeyUse {
        tenant_id: tenant.id,
        key_id: tenant.keys[0].id,
        at: at(5),
    });
    let uses: Vec<KeyUse> = uses.collect();
    assert_eq!(port.stores.tenants.note_key_uses(&uses).await, Ok(()));
    for tenant in whole {
        let found = port.stores.tenants.find(&tenant.id).await;
        let found = found.expect("the store answers").expect("it is there");
        assert_eq!(found.keys[0].last_used_at, Some(at(5)));
    }
}

/// Covers `TenantStore::owners_of_numbers`.
pub async fn a_number_of_nobody_knows_whom_costs_no_other_number(port: Breakable) {
    let (whole, _) = mixed_tenants(&port).await;
    let numbers: Vec<_> = whole
        .iter()
        .map(|tenant| tenant.phone_numbers[0].phone_number_id.clone())
        .collect();
    port.break_all([Record::Owner(numbers[0].clone()), Record::Owner(numbers[1].clone())])
        .await;
    let owners = port.stores.tenants.owners_of_numbers(&numbers).await;
    for owner in &owners[..2] {
        assert!(is_unreadable(owner), "{owner:?}");
    }
    let expected: Vec<_> = whole[2..].iter().map(|tenant| Ok(Some(tenant.id))).collect();
    assert_eq!(owners[2..], expected);
}

/// Covers `TenantStore::past_owners_of_numbers`.
pub async fn a_number_has_its_other_past_owners(port: Breakable) {
    let gave_up = |n: usize| Tenant {
        past_numbers: vec![phone(&(20 + n).to_string())],
        ..tenant()
    };
    let tenants: Vec<Tenant> = (0..4).map(gave_up).collect();
    for tenant in &tenants {
        assert_eq!(port.stores.tenants.insert(tenant).await, Ok(TenantSaved::Done));
    }
    let numbers: Vec<_> = tenants.iter().map(|tenant| tenant.past_numbers[0].clone()).collect();
    let broken = numbers[..2].iter().cloned().map(Record::PastOwner);
    port.break_all(broken).await;
    let found = port.stores.tenants.past_owners_of_numbers(&numbers).await;
    let whole = |place: usize| vec![tenants[place].id];
    assert_eq!(found, Ok(vec![vec![], vec![], whole(2), whole(3)]));
}

/// Covers `TenantStore::owners_of_waba`.
pub async fn an_account_has_its_other_owners(port: Breakable) {
    let (whole, _) = mixed_tenants(&port).await;
    let lost = &whole[0].phone_numbers[0].phone_number_id;
    port.break_all([Record::Owner(lost.clone())]).await;
    let owners = port
        .stores
        .tenants
        .owners_of_waba(&waba("77"))
        .await
        .expect("the store answers");
    for tenant in &whole[1..] {
        assert!(owners.contains(&tenant.id), "{owners:?}");
    }
}

/// Conversations of a tenant, of which every one but each third is broken then, as the touches that made them.
async fn mixed_conversations(port: &Breakable, tenant: TenantId) -> (Vec<ConversationTouch>, Vec<ConversationTouch>) {
    let of = |n: usize| touch(tenant, &person(&n.to_string()), at(10 + n as u64), Direction::Inbound);
    let touches: Vec<_> = (0..MIXED).map(of).collect();
    assert_eq!(port.stores.conversations.touch(&touches).await, Ok(()));
    let (whole, broken) = thirds(touches);
    port.break_all(broken.iter().map(|touch| Record::Conversation(touch.id)))
        .await;
    (whole, broken)
}

/// Covers `ConversationStore::touch` and `ConversationStore::open_windows`.
pub async fn conversations_beside_it_move(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = mixed_conversations(&port, tenant).await;
    let new = touch(tenant_id(), &person("new"), at(1), Direction::Outbound);
    let openings: Vec<WindowOpening> = broken
        .iter()
        .chain(&whole)
        .map(|touch| WindowOpening {
            tenant_id: touch.tenant_id,
            id: touch.id,
            at: at(4_000),
        })
        .collect();
    let opened = port.stores.conversations.open_windows(&openings).await;
    assert_eq!(opened.map(|opened| opened.len()), Ok(openings.len()));
    let mut batch: Vec<_> = broken.iter().chain(&whole).map(later).collect();
    batch.push(new.clone());
    for _ in 0..2 {
        assert_eq!(port.stores.conversations.touch(&batch).await, Ok(()));
    }
    for touch in &batch[broken.len()..] {
        let found = port.stores.conversations.find(&touch.tenant_id, &touch.id).await;
        let found = found.expect("it is whole").expect("it is there");
        assert_eq!(
            (found.last_message_id, found.last_message_at),
            (touch.message_id, touch.at)
        );
    }
}

fn later(first: &ConversationTouch) -> ConversationTouch {
    touch(first.tenant_id, &first.wa_id, at(5_000), Direction::Outbound)
}

/// Covers `ConversationStore::list` and `ConversationStore::find`.
pub async fn conversations_beside_it_are_listed(port: Breakable) {
    let tenant = tenant_id();
    let (whole, broken) = mixed_conversations(&port, tenant).await;
    let fetch = async |before| {
        let listed = port
            .stores
            .conversations
            .list(&tenant, before, PageLimit::items(3))
            .await;
        listed.expect("the store answers")
    };
    let mut listed = read_pages(3, fetch).await;
    listed.reverse();
    let ids: Vec<_> = listed.iter().map(|conversation| conversation.id).collect();
    assert_eq!(ids, whole.iter().map(|touch| touch.id).collect::<Vec<_>>());
    let mut unreadable = 0;
    for touch in broken {
        let found = port.stores.conversations.find(&tenant, &touch.id).await;
        assert!(matches!(found, Ok(None)) || is_unreadable(&found), "{found:?}");
        unreadable += usize::from(is_unreadable(&found));
    }
    assert!(unreadable > 0, "no way broke what is read");
}

/// Covers `ConversationStore::of_people`.
pub async fn conversations_of_people_beside_it_are_found(port: Breakable) {
    let tenant = tenant_id();
    let (whole, _) = mixed_conversations(&port, tenant).await;
    let ids: Vec<_> = whole.iter().map(|touch| touch.wa_id.clone()).collect();
    let found = port.stores.conversations.of_people(&tenant, &ids, 1_000).await;
    let mut found: Vec<_> = found.expect("the store answers").iter().map(|one| one.id).collect();
    found.sort_unstable();
    let mut expected: Vec<_> = whole.iter().map(|touch| touch.id).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Covers `EventStore::record` and `EventStore::list`.
pub async fn events_beside_it_are_recorded_and_listed(port: Breakable) {
    let tenant = tenant_id();
    for owner in [Some(tenant), None] {
        let of = |_| WebhookEvent {
            tenant_id: owner,
            ..event(tenant)
        };
        let events: Vec<WebhookEvent> = (0..MIXED).map(of).collect();
        assert_eq!(port.stores.events.record(&events).await, Ok(()));
        let (mut whole, broken) = thirds(events);
        port.break_all(broken.iter().map(|event| Record::Event(event.id))).await;

        let again = broken.iter().chain(&whole).map(|event| WebhookEvent {
            fingerprint: event.fingerprint,
            ..of(0)
        });
        let mut batch: Vec<_> = again.collect();
        let new = of(0);
        batch.push(new.clone());
        assert_eq!(port.stores.events.record(&batch).await, Ok(()));
        whole.push(new);
        whole.reverse();
        let fetch = async |before| {
            let listed = port
                .stores
                .events
                .list(owner.as_ref(), before, PageLimit::items(3))
                .await;
            listed.expect("the store answers")
        };
        let listed = read_pages(3, fetch).await;
        let listed: Vec<_> = listed.into_iter().filter(|event| whole.contains(event)).collect();
        assert_eq!(listed, whole);
    }
}

/// Covers `EventStore::amendments`.
pub async fn amendments_beside_it_are_found(port: Breakable) {
    let tenant = tenant_id();
    let amending = |n: usize| WebhookEvent {
        amends: Some(amendment("wamid.1", &format!("wamid.e{n:02}"), 1, Some("x"))),
        ..event(tenant)
    };
    let events: Vec<WebhookEvent> = (0..MIXED).map(amending).collect();
    assert_eq!(port.stores.events.record(&events).await, Ok(()));
    let (whole, broken) = thirds(events);
    port.break_all(broken.iter().map(|event| Record::Event(event.id))).await;
    let asked = [(phone_number_id(), wamid("wamid.1"))];
    let found = port.stores.events.amendments(&tenant, &asked, 64).await;
    let found = found.expect("the store answers").remove(0);
    for event in whole {
        assert!(found.contains(event.amends.as_ref().expect("it amends")));
    }
}

/// Covers `Erasure::erase_aged`.
pub async fn what_is_old_beside_it_is_erased(port: Breakable) {
    let tenant = tenant_id();
    let (whole, _) = port
        .mixed(MIXED, |_| {
            outbound(tenant).with(|message| message.delivery.status = Status::Sent)
        })
        .await;
    mixed_conversations(&port, tenant).await;
    let (letters, _) = port
        .mixed(MIXED, |_| {
            outbound(tenant).with(|message| message.delivery.status = Status::Failed)
        })
        .await;
    let letters_of_one_class = Aged::DeadLetters(LetterClass::Failed);
    for kind in [Aged::Messages, letters_of_one_class, Aged::Conversations, Aged::Events] {
        let mut portion = AgedPortion {
            tenant_id: Some(tenant),
            kind,
            before: at(1_000_000),
            from: None,
            limit: 2,
        };
        for _ in 0..100 {
            let done = port
                .stores
                .erasure
                .erase_aged(&portion)
                .await
                .expect("the store answers");
            portion.from = done.next;
            if portion.from.is_none() {
                break;
            }
        }
        assert_eq!(portion.from, None, "the portions end");
    }
    for message in whole.iter().chain(&letters) {
        assert_eq!(port.stores.messages.load(&[message.key()]).await, [Ok(None)]);
    }
}

/// Covers `Erasure::erase`.
pub async fn everything_of_its_tenant_is_erased(port: Breakable) {
    let (tenant, other) = (tenant_id(), tenant_id());
    port.mixed(MIXED, |_| outbound(tenant)).await;
    mixed_conversations(&port, tenant).await;
    let kept = outbound(other);
    assert_eq!(
        port.stores.messages.accept(vec![kept.clone()]).await,
        [Ok(Acceptance::Stored)]
    );
    let unrouted = event_bare();
    assert_eq!(port.stores.events.record(std::slice::from_ref(&unrouted)).await, Ok(()));
    while port.stores.erasure.erase(&tenant, 7).await.expect("the store answers") > 0 {}
    assert_eq!(port.stores.lists.count_unsettled(&[(tenant, 100)]).await, Ok(vec![0]));
    let all = PageLimit::items(100);
    assert_eq!(
        port.stores.conversations.list(&tenant, None, all).await,
        Ok(Listed::empty())
    );
    assert_eq!(
        port.stores.messages.load(&[kept.key()]).await,
        [Ok(Some(kept.with(|_| ())))]
    );
    let events = port.stores.events.list(None, None, all).await;
    assert_eq!(events.expect("the store answers").items, [unrouted]);
}
