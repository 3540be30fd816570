//! One person is one person, whatever numbers and ids Meta names them by, in whatever order that is told.

use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::webhook::{InboundMessage, WebhookPart};
use dakghar_core::domain::{ErrorCode, Person, PersonName, Tenant};
use dakghar_testkit::samples;

use crate::steps::{code, in_each_kind, number, orders};
use crate::world::World;
use crate::world::meta::Meta;
use crate::world::process::Process;

/// A message of so many milliseconds ago under this key, which names further ids.
fn message(world: &World, tenant: &Tenant, key: &str, also: &[&str], ago: u64) -> InboundMessage {
    let sent_at = world.now() - std::time::Duration::from_millis(ago);
    InboundMessage {
        also: also.iter().map(|id| samples::person(id)).collect(),
        sent_at: Some(sent_at),
        name: Some(PersonName {
            at: sent_at,
            name: Some(format!("name {ago}").into()),
            username: None,
        }),
        ..Meta::inbound(&number(tenant), key, &format!("wamid.{key}.{ago}"))
    }
}

fn people(world: &World, process: &Process, tenant: &Tenant) -> Vec<Person> {
    let (process, id) = (process.clone(), tenant.id);
    world.step(async move { process.people(&id).await }).expect("listed")
}

/// The keys of the conversations that are listed, the newest first.
fn conversations(world: &World, process: &Process, tenant: &Tenant) -> Vec<String> {
    let (process, id) = (process.clone(), tenant.id);
    let listed = world
        .step(async move { process.conversations(&id).await })
        .expect("listed");
    listed
        .iter()
        .map(|known| known.conversation.wa_id.to_string())
        .collect()
}

fn ids(person: &Person) -> Vec<&str> {
    person.ids.iter().map(dakghar_core::domain::WaId::as_str).collect()
}

#[test]
fn whatever_the_order_and_repetition_the_same_people_are_found() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        for n in 0..120 {
            let tenant = world.tenant_with(&process, &format!("7{n:03}"), "token", UnknownOutcome::Fail);
            // Hidden, with a number, under another number, under another id, and somebody else.
            let parts = [
                message(world, &tenant, "US.1", &["US.1"], 50),
                message(world, &tenant, "111", &["US.1"], 40),
                message(world, &tenant, "222", &["111", "US.2"], 30),
                message(world, &tenant, "US.2", &[], 20),
                message(world, &tenant, "333", &["US.3"], 10),
            ];
            let order = orders(&parts).swap_remove(n);
            for part in order.iter().chain(order.iter().rev()) {
                let part = WebhookPart::Message(part.clone());
                world.receive(&process, vec![part]).expect("received");
            }
            let found = people(world, &process, &tenant);
            assert_eq!(found.len(), 2, "{n}");
            assert_eq!(ids(&found[0]), ["333", "US.3"]);
            assert_eq!(ids(&found[1]), ["111", "222", "US.1", "US.2"]);
            let first = samples::person("US.1");
            let oldest = dakghar_core::domain::ConversationId::of(&tenant.id, &number(&tenant), &first);
            assert_eq!(found[1].conversations, [oldest], "the older record stays");
            assert_eq!(found[1].id.as_uuid(), oldest.as_uuid());
            assert_eq!(
                found[1].name.as_ref().and_then(|name| name.name.as_deref()),
                Some("name 20")
            );
            assert_eq!(conversations(world, &process, &tenant), ["333", "222"]);
        }
    });
}

#[test]
fn each_id_of_a_person_leads_to_them_and_all_their_messages() {
    in_each_kind(|world: &World| {
        let process = world.idle_process();
        let tenant = world.tenant(&process, UnknownOutcome::Fail);
        let parts = [
            message(world, &tenant, "US.1", &[], 30),
            message(world, &tenant, "111", &["US.1"], 20),
            message(world, &tenant, "US.9", &[], 10),
        ];
        let parts = parts.map(WebhookPart::Message).to_vec();
        world.receive(&process, parts).expect("received");
        for key in ["US.1", "111"] {
            let (reader, id) = (process.clone(), tenant.id);
            let key = dakghar_core::domain::ConversationId::of(&tenant.id, &number(&tenant), &samples::person(key));
            let found = world.step(async move { reader.conversation(&id, &key.to_string()).await });
            let (known, messages) = found.expect("found");
            assert_eq!(known.conversation.wa_id.as_str(), "111");
            assert_eq!(messages.len(), 2);
            let (reader, person) = (process.clone(), known.person_id.expect("a person").to_string());
            let found = world
                .step(async move { reader.person(&id, &person).await })
                .expect("found");
            assert_eq!(ids(&found), ["111", "US.1"]);
        }
        let (reader, other) = (
            process.clone(),
            world.tenant_with(&process, "222", "t", UnknownOutcome::Fail),
        );
        let person = people(world, &process, &tenant)[0].id.to_string();
        let foreign = world.step(async move { reader.person(&other.id, &person).await });
        assert_eq!(code(&foreign), Some(ErrorCode::PersonNotFound));
    });
}
