//! Meta's endpoints of numbers, as a test tells them to answer.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::ports::{NumberCall, NumberCallFailure, NumbersApi};
use parking_lot::Mutex;

/// Meta, asked about numbers. It does what it is asked until it is told to fail.
#[derive(Clone, Debug, Default)]
pub struct MemoryNumbers(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    failure: Option<NumberCallFailure>,
    asked: Vec<String>,
}

impl MemoryNumbers {
    /// Fails so from now on.
    pub fn fail(&self, failure: NumberCallFailure) {
        self.0.lock().failure = Some(failure);
    }

    /// The questions since the last look: the number, and what was asked.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().asked)
    }
}

#[async_trait]
impl NumbersApi for MemoryNumbers {
    async fn ask(&self, call: NumberCall<'_>) -> Result<Arc<str>, NumberCallFailure> {
        let mut told = self.0.lock();
        told.asked.push(format!("{} {:?}", call.number, call.ask));
        match &told.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(r#"{"success":true}"#.into()),
        }
    }
}
