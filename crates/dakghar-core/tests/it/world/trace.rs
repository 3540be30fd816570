//! What happened, for a person who looks for the reason of a failure, and for the proof that a seed is one run.

use std::sync::Arc;

use dakghar_core::ports::Clock as _;
use dakghar_testkit::TestClock;
use parking_lot::Mutex;

/// Lines with their times; cheap to clone. Costs next to nothing while it is off.
#[derive(Clone)]
pub struct Trace {
    clock: Arc<TestClock>,
    lines: Option<Arc<Mutex<Vec<String>>>>,
}

impl Trace {
    /// A trace that keeps its lines, or one that keeps none.
    pub fn new(clock: Arc<TestClock>, is_on: bool) -> Self {
        Self {
            clock,
            lines: is_on.then(Arc::default),
        }
    }

    /// Adds a line.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let ms = self.clock.now().since(dakghar_testkit::clock::START).as_millis();
            lines.lock().push(format!("{ms:>8} {}", line()));
        }
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines
            .as_ref()
            .map(|lines| lines.lock().clone())
            .unwrap_or_default()
    }
}
