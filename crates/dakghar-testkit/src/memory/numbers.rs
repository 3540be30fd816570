//! Meta's endpoints of numbers, as a test tells them to answer.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::GraphRefusal;
use dakghar_core::domain::allowance::AllowancesUsed;
use dakghar_core::ports::{
    NoAnswer, NumberCall, NumberCallFailure, NumbersApi, PassedAnswer, PassedCall, PassedRequest,
};
use parking_lot::Mutex;
use serde_json::Value;

/// Meta, asked about numbers. It does what it is asked until it is told to fail.
#[derive(Clone, Debug, Default)]
pub struct MemoryNumbers(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    failure: Option<NumberCallFailure>,
    no_answer: Option<NoAnswer>,
    used: AllowancesUsed,
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
        self.answer_telling(status, body, AllowancesUsed::default());
    }

    /// The same, and tells of these allowances.
    pub fn answer_telling(&self, status: u16, body: &str, used: AllowancesUsed) {
        self.0.lock().answers.push_back(PassedAnswer {
            status,
            headers: vec![("x-app-usage", r#"{"call_count":7}"#.into())],
            used,
            refusal: refusal_in(status, body),
            body: body.into(),
        });
    }

    /// Tells of these allowances with each answer to a question from now on.
    pub fn tell(&self, used: AllowancesUsed) {
        self.0.lock().used = used;
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
        call.used.lock().clone_from(&told.used);
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
            used: AllowancesUsed::default(),
            refusal: None,
            body: r#"{"success":true}"#.into(),
        }))
    }
}

/// The refusal in an answer with this status, if it has a code.
fn refusal_in(http_status: u16, body: &str) -> Option<GraphRefusal> {
    let body: Value = serde_json::from_str(body).ok()?;
    let error = &body["error"];
    Some(GraphRefusal {
        http_status,
        code: error["code"].as_i64()?,
        subcode: None,
        message: error["message"].as_str().unwrap_or_default().into(),
        details: None,
        is_transient: None,
        retry_after: None,
        fbtrace_id: None,
    })
}
