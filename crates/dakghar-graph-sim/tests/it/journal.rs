//! What the journal proves.

use std::collections::BTreeMap;

use dakghar_graph_sim::{Fault, FaultRule, JournalEntry, JournalFilter, JournalMode, Outcome, SimConfig};

use crate::sender::{PNID, accepted, post, quiet, start, text};

#[tokio::test]
async fn every_call_is_there_with_its_outcome() {
    let sim = quiet().await;
    sim.add_rule(FaultRule::first(1, Fault::rate_limited()));
    post(&sim, &text("এক", "v1.a.1")).await;
    let wamid = accepted(&sim, &text("দুই", "v1.a.2")).await;
    accepted(&sim, &text("দুই", "v1.a.2")).await;
    let journal = sim.journal();
    assert_eq!(journal.len(), 3);
    let first = &journal[0];
    assert_eq!((first.seq, first.phone_number_id.as_str()), (1, PNID));
    assert_eq!(first.to.as_deref(), Some("+8801711000000"));
    assert_eq!(first.message_type.as_deref(), Some("text"));
    assert_eq!(first.body["text"]["body"], "এক");
    assert_eq!(first.fault.as_deref(), Some("graph_error"));
    let refused = Outcome::Refused {
        http: 429,
        code: Some(130_429),
    };
    assert_eq!(first.outcome, refused);
    assert_eq!(journal[1].outcome, Outcome::Accepted { wamid });

    assert_eq!((sim.calls_for("v1.a.1"), sim.accepted_for("v1.a.1")), (1, 0));
    assert_eq!((sim.calls_for("v1.a.2"), sim.accepted_for("v1.a.2")), (2, 2));
    let counts = BTreeMap::from([("v1.a.1".to_owned(), 1), ("v1.a.2".to_owned(), 2)]);
    assert_eq!(sim.call_counts(), counts);
    assert_eq!(sim.accepted_counts()["v1.a.1"], 0);

    let filter = JournalFilter {
        biz_opaque: Some("v1.a.2".to_owned()),
        after_seq: 2,
        ..JournalFilter::default()
    };
    let found: Vec<u64> = sim.journal_matching(&filter).iter().map(|entry| entry.seq).collect();
    assert_eq!(found, [3]);
    sim.clear_journal();
    assert!(sim.journal().is_empty());
    assert_eq!(sim.calls_for("v1.a.2"), 0);
}

#[tokio::test]
async fn the_modes_keep_less() {
    let with_mode = async |journal| {
        let sim = start(SimConfig {
            journal,
            ..SimConfig::default()
        })
        .await;
        accepted(&sim, &text("hi", "x")).await;
        (sim.journal().len(), sim.calls_for("x"), sim.stats().accepted)
    };
    assert_eq!(with_mode(JournalMode::Full).await, (1, 1, 1));
    assert_eq!(with_mode(JournalMode::Counts).await, (0, 1, 1));
    assert_eq!(with_mode(JournalMode::Off).await, (0, 0, 1));
}

#[tokio::test]
async fn a_full_journal_drops_the_oldest_and_says_so() {
    let sim = start(SimConfig {
        journal_entries_max: 2,
        ..SimConfig::default()
    })
    .await;
    for at in 0..5 {
        accepted(&sim, &text("hi", &format!("m{at}"))).await;
    }
    let kept: Vec<u64> = sim.journal().iter().map(|entry| entry.seq).collect();
    assert_eq!(kept, [4, 5]);
    assert_eq!(sim.stats().journal_dropped, 3);
    assert_eq!(sim.calls_for("m0"), 1);
}

#[tokio::test]
async fn the_file_has_a_call_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let sim = start(SimConfig {
        journal: JournalMode::Off,
        journal_file: Some(path.clone()),
        ..SimConfig::default()
    })
    .await;
    for at in 1..=3 {
        accepted(&sim, &text("ডাক", &format!("m{at}"))).await;
        let lines = std::fs::read_to_string(&path).unwrap();
        let entries: Vec<JournalEntry> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(entries.len(), at);
        assert_eq!(entries[at - 1].biz_opaque, Some(format!("m{at}")));
        assert_eq!(entries[at - 1].body["text"]["body"], "ডাক");
    }
}
