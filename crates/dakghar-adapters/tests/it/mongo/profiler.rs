//! The server's profiler, which tells what a call made the server look at.

use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Database;

/// Beyond the documents returned, index keys that a query may look at: one for each of the statuses it merges, and
/// where a range ends.
const EXTRA_KEYS_MAX: i64 = 16;

/// What the server did for one call.
#[derive(Debug, Default)]
struct Work {
    keys: i64,
    documents: i64,
    operations: Vec<Document>,
}

/// Switches the profiler on for one call at a time.
pub(super) struct Profiler(pub(super) Database);

impl Profiler {
    async fn level(&self, level: i32) {
        self.0
            .run_command(doc! { "profile": level })
            .await
            .expect("the server answers");
    }

    /// Runs a call and asserts that it looked at no more than the `returned` documents it answers.
    pub(super) async fn check<T>(&self, what: &str, returned: impl Fn(&T) -> usize, call: impl Future<Output = T>) {
        self.check_keys(what, 1, returned, call).await;
    }

    /// As [`Profiler::check`], for documents found by a list of ids: an index looks once beyond each of them.
    pub(super) async fn check_by_ids<T>(&self, what: &str, found: impl Fn(&T) -> usize, call: impl Future<Output = T>) {
        self.check_keys(what, 2, found, call).await;
    }

    async fn check_keys<T>(
        &self,
        what: &str,
        keys_per_document: i64,
        returned: impl Fn(&T) -> usize,
        call: impl Future<Output = T>,
    ) {
        self.level(0).await;
        self.0
            .collection::<Document>("system.profile")
            .drop()
            .await
            .expect("the server answers");
        self.level(2).await;
        let answer = call.await;
        self.level(0).await;
        let returned = i64::try_from(returned(&answer)).expect("a small number");
        let work = self.work().await;
        let summary = format!("{what}: {returned} returned, {work:#?}");
        assert!(!work.operations.is_empty(), "{summary}");
        assert!(work.keys <= returned * keys_per_document + EXTRA_KEYS_MAX, "{summary}");
        assert!(work.documents <= returned + 1, "{summary}");
        for operation in &work.operations {
            assert!(!operation.get_bool("hasSortStage").unwrap_or(false), "{summary}");
            assert_ne!(operation.get_str("planSummary").ok(), Some("COLLSCAN"), "{summary}");
        }
    }

    async fn work(&self) -> Work {
        let filter =
            doc! { "op": { "$in": ["query", "getmore", "update", "remove", "command"] }, "command.profile": null };
        let fields =
            doc! { "op": 1, "ns": 1, "keysExamined": 1, "docsExamined": 1, "planSummary": 1, "hasSortStage": 1 };
        let profile = self.0.collection::<Document>("system.profile");
        let found = profile
            .find(filter)
            .projection(fields)
            .await
            .expect("the server answers");
        let mut work = Work::default();
        for operation in found.try_collect::<Vec<_>>().await.expect("the server answers") {
            let number = |field| i64::from(operation.get_i32(field).unwrap_or_default());
            // Reads of the profile itself, hellos and the like examine nothing.
            if operation
                .get_str("ns")
                .is_ok_and(|ns| ns.contains("system.") || ns.ends_with(".$cmd"))
            {
                continue;
            }
            work.keys += number("keysExamined");
            work.documents += number("docsExamined");
            work.operations.push(operation);
        }
        work
    }
}
