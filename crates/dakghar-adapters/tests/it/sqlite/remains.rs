//! What an erased person leaves behind in the file and its log: nothing, whatever became of the pages in between.

use std::sync::Arc;

use dakghar_adapters::sqlite::SqliteStore;
use dakghar_core::domain::erasure::{ErasurePlace, PersonIds};
use dakghar_core::domain::{Message, Status};
use dakghar_core::ports::{MessageStore as _, PersonErasureStore as _, PersonPortion, Remains, Save, Saved};
use dakghar_testkit::samples::{self, With as _, at, outbound, person};

use super::open;

const NUMBER: &str = "8801755512345";
const TEXT: &str = "canary-of-the-remains";
/// Enough for pages that are split long before what is in them is deleted.
const MESSAGES: usize = 6_000;

/// The bytes of the file, and those of its log.
fn bytes(store: &SqliteStore) -> [Vec<u8>; 2] {
    let file = store.file().to_owned();
    let log = file.with_file_name(format!("{}-wal", file.file_name().expect("a name").display()));
    [
        std::fs::read(file).expect("the file"),
        std::fs::read(log).expect("its log"),
    ]
}

fn count(bytes: &[u8], text: &str) -> usize {
    bytes
        .windows(text.len())
        .filter(|window| *window == text.as_bytes())
        .count()
}

/// Messages of many people, changed in no order as delivery would; every tenth is of the one.
async fn fill(store: &Arc<SqliteStore>, tenant: dakghar_core::domain::TenantId) {
    let mut messages: Vec<Message> = Vec::new();
    for n in 0..MESSAGES {
        let is_theirs = n % 10 == 3;
        let message = outbound(tenant).with(|message| {
            let id = if is_theirs {
                NUMBER.to_owned()
            } else {
                format!("88017{:08}", n * 7_919 % 99_999_989)
            };
            message.accepted.peer = Some(format!("+{id}").into());
            message.accepted.peer_id = Some(person(&id));
            let text = if is_theirs { TEXT } else { "of somebody else" };
            message.accepted.content.body = format!("{{\"body\":\"{text} {}\"}}", "x".repeat(n * 31 % 400)).into();
        });
        messages.push(message);
        if messages.len() == 100 {
            for stored in store.accept(messages.clone()).await {
                stored.expect("stored");
            }
            // Backwards, and each longer by another length.
            for (at, message) in messages.iter_mut().enumerate().rev() {
                message.delivery.status = Status::Sent;
                message.delivery.wamid = Some(samples::wamid(&format!("wamid.{}", "w".repeat(at * 13 % 200))));
            }
            let saves: Vec<Save> = messages.iter().map(Save::quiet).collect();
            assert!(store.save(&saves).await.iter().all(|saved| *saved == Ok(Saved::Done)));
            messages.clear();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_person_is_left_in_the_file_or_its_log() {
    let (store, _dir) = open();
    let tenant = samples::tenant_id();
    fill(&store, tenant).await;
    let mut portion = PersonPortion {
        tenant_id: tenant,
        person: PersonIds::new([person(NUMBER)]),
        before: at(1 << 40),
        place: ErasurePlace::Messages,
        from: None,
        limit: 200,
    };
    let mut erased = 0;
    loop {
        let done = store.erase_person(&portion).await.expect("the store answers");
        erased += done.erased;
        portion.from = done.next;
        if portion.from.is_none() {
            break;
        }
    }
    assert_eq!(erased, (MESSAGES / 10) as u64);
    let [_, log] = bytes(&store);
    assert!(count(&log, NUMBER) > 0, "the log still has what was there before");
    // Once what was deleted is in the file, it is overwritten there; but not where pages were split before.
    assert_eq!(store.clear_remains().await, Ok(Remains::None));
    let [file, log] = bytes(&store);
    for text in [NUMBER, TEXT] {
        assert_eq!((count(&file, text), count(&log, text)), (0, 0), "{text}");
    }
    assert!(
        count(&file, "of somebody else") > MESSAGES / 2,
        "what was read is the store"
    );
    let problems = store.integrity_check().await.expect("it is looked at");
    assert_eq!(problems, Vec::<String>::new());
}
