//! Whose a record is: every method of a store names a tenant, or says here why it names none.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::tokens;
use super::workspace::package;

/// What holds the id of a tenant.
const OF_A_TENANT: [&str; 19] = [
    "Chunk",
    "StatusRecord",
    "TenantId",
    "Tenant",
    "MessageKey",
    "Message",
    "ReceivedMessage",
    "Save",
    "ConversationTouch",
    "WebhookEvent",
    "Redrive",
    "PersonErasure",
    "Signup",
    "Departure",
    "PersonPortion",
    "Endpoint",
    "KeyUse",
    "OptOut",
    "WindowOpening",
];

/// Methods that look at records of all tenants, and who may call them.
const EXCUSED: [(&str, &str); 64] = [
    ("AppStore::apps", "is about the installation"),
    ("AppStore::find_app", "is about the installation"),
    ("AppStore::insert_app", "is about the installation"),
    ("AppStore::remove_app", "is about the installation"),
    ("AppStore::save_app", "is about the installation"),
    (
        "AuditStore::audit_chain",
        "is about the installation, and holds numbers and hashes",
    ),
    (
        "AuditStore::audit_list",
        "asked by operators, and by a tenant with a filter by it",
    ),
    ("AuditStore::audit_walk", "asked by operators"),
    (
        "AuditStore::carry_out",
        "each change names its tenant as its own port does",
    ),
    ("AuditStore::drop_audit", "is about the installation"),
    ("InstallationStore::find_secrets", "is about the installation"),
    ("InstallationStore::insert_secrets", "is about the installation"),
    ("InstallationStore::save_secrets", "is about the installation"),
    ("OperatorStore::find_operator_key", "is about the installation"),
    ("OperatorStore::insert_operator_key", "is about the installation"),
    ("OperatorStore::note_operator_use", "is about the installation"),
    ("OperatorStore::operator_keys", "is about the installation"),
    ("OperatorStore::remove_operator_key", "is about the installation"),
    ("OperatorStore::save_operator_key", "is about the installation"),
    (
        "EndpointStore::endpoints",
        "asked by the processes that deliver, and shows nothing",
    ),
    (
        "ArrivalStore::arrivals",
        "asked by the worker, which gives places and shows nothing",
    ),
    ("ArrivalStore::attend", "is about processes"),
    (
        "ArrivalStore::bring_back",
        "asked by the operator, and answers a count only",
    ),
    ("ArrivalStore::leave", "is about processes"),
    ("ArrivalStore::put_aside", "asked by the worker, and shows nothing"),
    (
        "ArrivalStore::waiting",
        "asked by the operator, and answers a time and a count",
    ),
    (
        "CallbackStore::advance",
        "asked by the worker, which delivers and shows nothing",
    ),
    (
        "CallbackStore::attempts",
        "asked for an id; whoever asks has looked whose the endpoint is",
    ),
    (
        "CallbackStore::count_exceptions",
        "asked for an id, and answers a count only",
    ),
    (
        "CallbackStore::exceptions",
        "asked for an id; whoever asks has looked whose the endpoint is",
    ),
    (
        "CallbackStore::find_exceptions",
        "asked for an id; whoever asks has looked whose the endpoint is",
    ),
    (
        "CallbackStore::forget_attempts",
        "asked by the clock for what is older than a time, and shows nothing",
    ),
    (
        "CallbackStore::gone_endpoints",
        "finds what is kept of nobody, in the installation as a whole",
    ),
    (
        "CallbackStore::progress",
        "asked for ids; whoever asks has looked whose the endpoints are",
    ),
    (
        "Erasure::erase_aged",
        "asked by the clock for what is older than a time, and shows nothing",
    ),
    (
        "DepartureStore::due_departures",
        "asked by the worker, which carries them on and shows nothing",
    ),
    (
        "DepartureStore::forget_departures",
        "asked by the clock for what is older than a time, and shows nothing",
    ),
    ("Erasure::keep_retention_time", "is about the installation"),
    ("Erasure::left_behind", "finds tenants that are gone"),
    ("Erasure::retention_time", "is about the installation"),
    ("HoldStore::keep_sending_hold", "is about the installation"),
    ("HoldStore::sending_hold", "is about the installation"),
    (
        "HoldStore::unsettled_by_number",
        "asked by the operator, and answers counts only",
    ),
    ("ListenerStore::forget_listeners", "is about processes"),
    ("ListenerStore::keep_listener", "is about processes"),
    ("ListenerStore::listeners", "is about processes"),
    (
        "MessageStore::find_by_wamid",
        "asked for Meta, who names a number and no tenant",
    ),
    ("PersonErasureStore::clear_remains", "is about the files of the store"),
    (
        "PersonErasureStore::due_erasures",
        "asked by the worker, which carries them on and shows nothing",
    ),
    (
        "RedriveStore::due_redrives",
        "asked by the worker, which carries them on and shows nothing",
    ),
    (
        "RedriveStore::find_redrive",
        "asked for an id; whoever asks compares its owner",
    ),
    (
        "RedriveStore::forget_redrives",
        "asked by the clock for what is older than a time, and shows nothing",
    ),
    (
        "SignupStore::due_signups",
        "asked by the worker, which carries them on and shows nothing",
    ),
    (
        "SignupStore::find_signup_of_key",
        "asked for a code or a link; whoever asks for a code compares its owner",
    ),
    ("StoreHealth::may_claim", "reads no record"),
    ("StoreHealth::ping", "reads no record"),
    ("StoreHealth::stopped", "reads no record"),
    ("TenantStore::owners_of_numbers", "asked for Meta, and answers ids only"),
    ("TenantStore::owners_of_waba", "asked for Meta, and answers ids only"),
    (
        "TenantStore::past_owners_of_numbers",
        "asked for Meta, and answers ids only",
    ),
    ("TimerStore::ahead", "asked by the timers, which send and show nothing"),
    ("TimerStore::due", "asked by the timers, which send and show nothing"),
    ("TimerStore::released", "asked by the queue, and answers places only"),
    ("TenantStore::list", "asked by the operator"),
];

/// `Trait::method` for each method of each trait in a file, with the words between its name and its body.
fn methods(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let words: Vec<String> = tokens(text).into_iter().map(|token| token.text).collect();
    let mut found = BTreeMap::new();
    let mut of = None;
    for (at, word) in words.iter().enumerate() {
        match (word.as_str(), &of) {
            ("trait", _) => of = Some(words[at + 1].clone()),
            ("fn", Some(of)) => {
                let signature = words[at + 2..].iter().take_while(|word| *word != "->");
                found.insert(format!("{of}::{}", words[at + 1]), signature.cloned().collect());
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_method_of_a_store_names_a_tenant() {
    let core = package("dakghar-core");
    let ports = core.src.iter().filter(|(file, _)| file.starts_with("ports/store/"));
    let methods: BTreeMap<_, _> = ports.flat_map(|(_, text)| methods(text)).collect();
    assert!(methods.len() > 25, "{methods:?}");
    let without: BTreeSet<&str> = methods
        .iter()
        .filter(|(_, words)| !OF_A_TENANT.iter().any(|name| words.contains(*name)))
        .map(|(method, _)| method.as_str())
        .collect();
    let excused: BTreeSet<&str> = EXCUSED.iter().map(|(method, _)| *method).collect();
    let before = "TenantStore::list";
    assert!(methods.contains_key(before));
    let needless: Vec<_> = excused
        .difference(&without)
        .filter(|method| **method != before)
        .collect();
    let missing: Vec<_> = without.difference(&excused).collect();
    assert!(missing.is_empty(), "names no tenant: {missing:?}");
    assert!(needless.is_empty(), "needs no excuse: {needless:?}");
}
