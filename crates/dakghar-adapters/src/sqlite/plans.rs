//! Tests that no query grows with the table (each one is answered by an index that was made for it, in its order), and
//! that statements cost no more than what they do.

use dakghar_core::domain::ids::WaId;
use dakghar_core::domain::message::{Direction, Status};
use dakghar_core::domain::migration::Kind;
use dakghar_core::domain::page::MessageQuery;
use rusqlite::{Connection, StatementStatus, params};

use super::messages::{read, write};
use super::queue::due;
use super::{
    aging, callbacks, connection, contents, conversations, departures, endpoints, erasure, events, feed, lists,
    migrations, open, opt_outs, people_erased, redrives, rows, signups, source, statuses, timers,
};

fn migrated() -> Connection {
    let mut conn = Connection::open_in_memory().expect("memory");
    migrations::migrate(&mut conn).expect("migrate");
    conn
}

/// The steps of the plan, with the parameters left open as they are when a statement is prepared once for all.
fn plan(sql: &str) -> Vec<String> {
    let conn = migrated();
    let mut explain = conn
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
    let steps = explain.raw_query().mapped(|row| row.get::<_, String>(3));
    steps.collect::<Result<_, _>>().expect("a plan")
}

/// The statement seeks in `index` by these columns, scans nothing and sorts nothing.
fn check(sql: &str, index: &str, columns: &str) {
    let plan = plan(sql);
    let wanted = format!("INDEX {index} ({columns})");
    assert!(
        plan.iter()
            .any(|step| step.starts_with("SEARCH") && step.ends_with(&wanted)),
        "{wanted} is not in the plan {plan:#?} of: {sql}"
    );
    for step in &plan {
        let is_slow =
            step.starts_with("SCAN messages") || step.starts_with("SCAN events") || step.contains("TEMP B-TREE");
        assert!(!is_slow, "{step:?} is in the plan of: {sql}");
    }
}

#[test]
fn writing_a_message_builds_no_table_in_memory() {
    // SQLite makes one of a list of values in the condition of an index, for every statement that writes the table.
    for sql in [&*rows::INSERT, &*rows::UPDATE, &*rows::UPDATE_LINKS] {
        let conn = migrated();
        let mut explain = conn.prepare(&format!("EXPLAIN {sql}")).expect("SQL");
        let steps = explain.raw_query().mapped(|row| row.get::<_, String>(1));
        let steps = steps.collect::<Result<Vec<_>, _>>().expect("a program");
        assert!(steps.iter().any(|step| step == "OpenWrite"), "{steps:?}");
        assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{sql}: {steps:?}");
    }
}

#[test]
fn a_statement_stays_prepared_whatever_its_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(open::FILE_NAME);
    open::create(&file).expect("a file");
    let mut writer = connection::open_writer(&file).expect("a writer");
    migrations::migrate(&mut writer).expect("migrate");
    let reader = connection::open_reader(&file).expect("a reader");
    for conn in [writer, reader] {
        let mut head = conn.prepare(due::HEAD).expect("SQL");
        for limit in [1, 300, 20] {
            let mut rows = head.query(params!["normal", limit]).expect("rows");
            assert!(rows.next().expect("no error").is_none());
        }
        assert_eq!(head.get_status(StatementStatus::RePrepare), 0);
    }
}

#[test]
fn delivery_finds_messages_by_index() {
    check(&read::LOAD, "messages_by_id", "tenant_id=? AND id=?");
    check(
        &read::FIND_BY_IDEMPOTENCY_KEY,
        "messages_by_idempotency_key",
        "tenant_id=? AND idempotency_key=?",
    );
    check(read::FIND_BY_WAMID, "messages_sent", "phone_number_id=? AND wamid=?");
    check(timers::DUE, "messages_timer", "status=? AND wake_at<?");
    check(timers::TIMER_AHEAD, "messages_timer", "status=? AND wake_at>?");
    check(timers::SLOT_AHEAD, "messages_due", "priority=? AND slot_at>?");
    check(due::WAITING, "messages_due", "priority=? AND slot_at<?");
    check(timers::RELEASED, "messages_timer", "status=? AND wake_at<?");
    check(statuses::STANDING, "messages_by_id", "tenant_id=? AND id=?");
    let reports = plan(&statuses::REPORTS);
    let by_key = "SEARCH statuses USING PRIMARY KEY (tenant_id=? AND message_id=?)";
    assert_eq!(reports, [by_key]);
    let by_digest = "SEARCH statuses USING PRIMARY KEY (tenant_id=? AND message_id=? AND digest=?)";
    assert_eq!(plan(&statuses::ONE), [by_digest]);
    check(&events::ONE, "events_newest", "tenant_id=? AND id=?");
    let from_a_place = "SEARCH feed USING PRIMARY KEY (tenant_id=? AND place>?)";
    assert_eq!(plan(&feed::ENTRIES), [from_a_place]);
    for sql in [feed::FIRST, feed::LAST] {
        assert_eq!(plan(sql), ["SEARCH feed USING PRIMARY KEY (tenant_id=?)"]);
    }
    check(read::STATUSES_ARRIVED_BEFORE, "messages_by_id", "tenant_id=? AND id<?");
    check(read::STATUSES_ARRIVED_NEXT, "messages_by_id", "tenant_id=? AND id>?");
    check(read::STATUSES_ARRIVED_NEWEST, "messages_by_id", "tenant_id=?");
    check(lists::COUNT_UNSETTLED, "messages_open", "tenant_id=? AND status=?");
    check(
        write::EARLIER,
        "messages_by_idempotency_key",
        "tenant_id=? AND idempotency_key=?",
    );
    check(
        write::RECEIVED_BEFORE,
        "messages_received",
        "phone_number_id=? AND wamid=?",
    );
    check(write::READ_LINKS, "messages_by_id", "tenant_id=? AND id=?");
    check(write::KNOW_BY_GATEWAY_ID, "messages_by_id", "tenant_id=? AND id=?");
    check(timers::HELD, "messages_open", "tenant_id=? AND status=? AND id>?");
}

#[test]
fn the_queue_reads_its_lanes_in_order() {
    check(due::HEAD, "messages_due", "priority=?");
    check(due::TAIL, "messages_due", "priority=? AND slot_at>? AND slot_at<?");
    check(
        due::STRETCH,
        "messages_due",
        "priority=? AND (slot_at,phone_number_id)>(?,?)",
    );
}

#[test]
fn lists_walk_an_index_from_the_newest() {
    let by_id = "tenant_id=? AND id>? AND id<?";
    let plain = MessageQuery::default();
    check(&lists::walk_sql(&plain), "messages_by_id", by_id);
    let inbound = MessageQuery {
        direction: Some(Direction::Inbound),
        status: Some(Status::Received),
        ..plain.clone()
    };
    check(&lists::walk_sql(&inbound), "messages_by_id", by_id);
    let held = MessageQuery {
        status: Some(Status::Held),
        ..plain.clone()
    };
    check(
        &lists::walk_sql(&held),
        "messages_open",
        "tenant_id=? AND status=? AND id>? AND id<?",
    );
    let person = MessageQuery {
        peer_id: WaId::parse("919812345678").ok(),
        ..plain
    };
    check(
        &lists::walk_sql(&person),
        "messages_by_person",
        "tenant_id=? AND peer_id=? AND id>? AND id<?",
    );
    let of_person = MessageQuery {
        status: Some(Status::Held),
        ..person
    };
    check(
        &lists::walk_sql(&of_person),
        "messages_by_person",
        "tenant_id=? AND peer_id=? AND id>? AND id<?",
    );
    check(&lists::MARKED, "messages_id_time_off", by_id);
    check(
        lists::DEAD_OF_TENANT,
        "messages_open",
        "tenant_id=? AND status=? AND id<?",
    );
    check(lists::DEAD_OF_ALL, "messages_dead", "id<?");
    check(
        &conversations::LIST,
        "conversations_newest",
        "tenant_id=? AND (last_message_at,id)<(?,?)",
    );
    check(&events::LIST, "events_newest", "tenant_id=? AND id<?");
    check(
        &conversations::OF_PERSON,
        "conversations_by_person",
        "tenant_id=? AND wa_id=?",
    );
    check(
        conversations::OF_KEY,
        "conversation_keys_by_key",
        "tenant_id=? AND key=?",
    );
    check(events::AMENDMENTS, "events_amending", "tenant_id=? AND amends=?");
}

#[test]
fn redrives_are_found_by_index() {
    check(&redrives::LIST_OF_TENANT, "redrives_of_tenant", "tenant_id=? AND id<?");
    check(redrives::COUNT_OPEN, "redrives_of_tenant", "tenant_id=?");
    check(&redrives::DUE, "redrives_due", "needs_work=?");
    check(redrives::FORGET, "redrives_due", "needs_work=? AND updated_at<?");
    check(&endpoints::OF_TENANT, "endpoints_of_tenant", "tenant_id=?");
    assert_eq!(plan(&endpoints::BEHIND), ["SEARCH endpoints USING PRIMARY KEY (id>?)"]);
    let plan = plan(&redrives::LIST_OF_ALL);
    assert!(plan.iter().any(|step| step.contains("PRIMARY KEY (id<?)")), "{plan:#?}");
}

#[test]
fn callbacks_are_found_by_index() {
    let from_a_place = "SEARCH callback_exceptions USING PRIMARY KEY (endpoint_id=? AND place>?)";
    assert_eq!(plan(&callbacks::DEAD), [from_a_place]);
    check(
        &callbacks::OPEN,
        "callback_exceptions_open",
        "endpoint_id=? AND place>?",
    );
    let at_a_place = "SEARCH callback_exceptions USING PRIMARY KEY (endpoint_id=? AND place=?)";
    assert_eq!(plan(&callbacks::FIND_EXCEPTION), [at_a_place]);
    check(callbacks::COUNT_OPEN, "callback_exceptions_open", "endpoint_id=?");
    let of_endpoint = "SEARCH callback_exceptions USING PRIMARY KEY (endpoint_id=?)";
    assert!(plan(callbacks::COUNT_DEAD).iter().any(|step| step == of_endpoint));
    for (next, table) in callbacks::NEXT
        .into_iter()
        .zip(["callback_progress", "callback_exceptions"])
    {
        let step = format!("SEARCH {table} USING PRIMARY KEY (endpoint_id>?)");
        assert_eq!(plan(next), [step]);
    }
    assert!(plan(callbacks::IS_THERE)[0].contains("(tenant_id=?"));
    check(callbacks::FORGET_DEAD, "callback_exceptions_dead", "dead_at<?");
    check(
        callbacks::LIST_ATTEMPTS,
        "sqlite_autoindex_callback_attempts_1",
        "endpoint_id=? AND id<?",
    );
    check(callbacks::FORGET_ATTEMPTS, "callback_attempts_oldest", "at<?");
    for sql in callbacks::DELETES_OF_ENDPOINT {
        let plan = plan(sql);
        assert!(
            plan.iter()
                .any(|step| step.starts_with("SEARCH") && step.ends_with("(endpoint_id=?)")),
            "{plan:#?}"
        );
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{plan:#?}");
    }
}

#[test]
fn erasing_seeks_the_tenant() {
    for (sql, index) in erasure::DELETES.into_iter().zip([
        "messages_by_id",
        "statuses",
        "conversations",
        "events_newest",
        "redrives_of_tenant",
        "erasures_of_tenant",
        "signups_of_tenant",
        "callback_exceptions_of_tenant",
        "callback_attempts_of_tenant",
        "callback_progress_of_tenant",
        "endpoints_of_tenant",
        "opt_outs",
    ]) {
        let plan = plan(sql);
        assert!(
            plan.iter()
                .any(|step| step.contains(index) && step.ends_with("(tenant_id=?)")),
            "{plan:#?}"
        );
        assert!(!plan.iter().any(|step| step.starts_with("SCAN messages")), "{plan:#?}");
    }
}

#[test]
fn what_is_kept_of_a_person_is_walked_by_index() {
    check(
        people_erased::MESSAGES,
        "messages_by_person",
        "tenant_id=? AND peer_id=? AND id>?",
    );
    check(people_erased::GROUP_MESSAGES, "messages_by_id", "tenant_id=? AND id>?");
    check(people_erased::EVENTS, "events_newest", "tenant_id=? AND id>?");
    check(
        people_erased::LOGS,
        "callback_attempts_of_tenant",
        "tenant_id=? AND rowid>?",
    );
    let plan_of_reports = plan(people_erased::REPORTS);
    assert!(
        plan_of_reports[0].starts_with("SEARCH statuses USING PRIMARY KEY (tenant_id=? AND (message_id,digest)>"),
        "{plan_of_reports:#?}"
    );
    check(signups::LIST, "signups_of_tenant", "tenant_id=? AND id<?");
    check(signups::FIND_OF_KEY, "signups_of_key", "key_hash=?");
    check(signups::DUE, "signups_due", "due_at>? AND due_at<?");
    check(people_erased::LIST, "erasures_of_tenant", "tenant_id=? AND id<?");
    check(departures::LIST, "departures_of_tenant", "tenant_id=? AND id<?");
    check(departures::DUE, "departures_due", "due_at>? AND due_at<?");
    for (sql, seek) in [
        (opt_outs::FIND, "PRIMARY KEY (tenant_id=? AND mark=?)"),
        (opt_outs::LIST, "PRIMARY KEY (tenant_id=? AND (mark,scope)<(?,?))"),
        (
            opt_outs::FORGET_PERSON,
            "INDEX opt_outs_of_person (tenant_id=? AND person=?)",
        ),
        (conversations::OPEN_WINDOW, "PRIMARY KEY (tenant_id=? AND id=?)"),
    ] {
        let plan = plan(sql);
        assert!(plan.len() == 1 && plan[0].ends_with(seek), "{plan:#?}");
    }
    let due = plan(people_erased::DUE);
    assert!(
        due[0].contains("USING INDEX erasures_due") && due.len() == 1,
        "{due:#?}"
    );
}

#[test]
fn what_is_old_is_walked_from_the_oldest() {
    check(aging::MESSAGES, "messages_by_id", "tenant_id=? AND id>? AND id<?");
    check(
        aging::LETTERS,
        "messages_open",
        "tenant_id=? AND status=? AND id>? AND id<?",
    );
    check(
        aging::CONVERSATIONS,
        "conversations_newest",
        "tenant_id=? AND last_message_at>? AND last_message_at<?",
    );
    check(
        aging::MESSAGE_OF_CONVERSATION,
        "messages_by_person",
        "tenant_id=? AND peer_id=?",
    );
    check(aging::EVENTS, "events_newest", "tenant_id=? AND id>?");
    check(contents::MESSAGES, "messages_by_id", "tenant_id=? AND id>? AND id<?");
    check(contents::EVENTS, "events_newest", "tenant_id=? AND id>?");
}

#[test]
fn a_migration_walks_the_tables_in_their_own_order() {
    for kind in Kind::ALL {
        let plan = plan(&source::page_sql(kind));
        let [step] = plan.as_slice() else { panic!("{plan:#?}") };
        assert!(
            step.starts_with(&format!("SEARCH {} USING", kind.as_str())) && step.contains("PRIMARY KEY"),
            "{step}"
        );
    }
}
