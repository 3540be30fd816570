//! What another program does to the audit log in the file is found.

use dakghar_core::domain::audit::AuditFault;
use dakghar_testkit::conformance::audit::{check, note};
use dakghar_testkit::samples::audit_entry;

use super::{Stores, open};

#[tokio::test]
async fn what_was_edited_taken_out_moved_or_cut_off_in_the_file_is_found() {
    let ways = [
        (
            "UPDATE audit SET text = replace(text, 'hold', 'hole') WHERE number = 3",
            AuditFault::Edited(3),
        ),
        (
            "UPDATE audit SET tenant_id = 'ten_00000000000000000000000001' WHERE number = 3",
            AuditFault::Edited(3),
        ),
        ("UPDATE audit SET hash = x'00' WHERE number = 3", AuditFault::Edited(3)),
        (
            "UPDATE audit SET text = CAST(x'ff' AS TEXT) WHERE number = 3",
            AuditFault::Edited(3),
        ),
        ("DELETE FROM audit WHERE number = 3", AuditFault::Missing(3)),
        ("DELETE FROM audit WHERE number = 1", AuditFault::Missing(1)),
        ("DELETE FROM audit WHERE number >= 4", AuditFault::CutOff(4)),
        (
            "UPDATE audit SET number = 9 WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 4; \
             UPDATE audit SET number = 4 WHERE number = 9",
            AuditFault::Edited(3),
        ),
        ("UPDATE audit_chain SET head_number = 4", AuditFault::Beyond(5)),
    ];
    for (sql, fault) in ways {
        let (store, _dir) = open();
        let file = store.file().to_owned();
        let stores = Stores::of(store);
        for _ in 0..5 {
            note(&stores, &audit_entry()).await;
        }
        assert_eq!(check(&stores).await, Ok(5));
        let conn = rusqlite::Connection::open(&file).expect("opens");
        conn.execute_batch(sql).expect("runs");
        assert_eq!(check(&stores).await, Err(fault), "{sql}");
    }
}
