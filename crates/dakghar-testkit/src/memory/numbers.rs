//! Meta's endpoints of numbers, as a test tells them to answer.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::ports::{
    NoAnswer, NumberCall, NumberCallFailure, NumbersApi, PassedAnswer, PassedCall, PassedRequest,
};
use parking_lot::Mutex;

/// Meta, asked about numbers. It does what it is asked until it is told to fail.
#[derive(Clone, Debug, Default)]
pub struct MemoryNumbers(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    failure: Option<NumberCallFailure>,
    no_answer: Option<NoAnswer>,
    asked: Vec<String>,
    answers: VecDeque<PassedAnswer>,
}

impl MemoryNumbers {
    /// Fails so from now on.
    pub fn fail(&self, failure: NumberCallFailure) {
        self.0.lock().failure = Some(failure);
    }

    /// Gives no answer to the one that is passed on next.
    pub fn leave_unanswered(&self, why: NoAnswer) {
        self.0.lock().no_answer = Some(why);
    }

    /// Answers so what is passed on next.
    pub fn answer(&self, status: u16, body: &str) {
        let headers = vec![("x-app-usage", r#"{"call_count":7}"#.into())];
        let body = body.into();
        self.0.lock().answers.push_back(PassedAnswer { status, headers, body });
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
    async fn pass(&self, call: PassedCall<'_>) -> Result<PassedAnswer, NoAnswer> {
        let mut told = self.0.lock();
        let PassedRequest {
            method,
            path,
            parameters,
            body,
        } = call.request;
        let parameters: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let bytes = body.map(|(kind, bytes)| format!(" {kind} {}", bytes.len()));
        told.asked.push(format!(
            "{method:?} {path}?{}{}",
            parameters.join("&"),
            bytes.unwrap_or_default()
        ));
        if let Some(NumberCallFailure::NoAnswer(why)) = &told.failure {
            return Err(NoAnswer::Lost(why.clone()));
        }
        if let Some(why) = told.no_answer.take() {
            return Err(why);
        }
        Ok(told.answers.pop_front().unwrap_or_else(|| PassedAnswer {
            status: 200,
            headers: Vec::new(),
            body: r#"{"success":true}"#.into(),
        }))
    }
}
