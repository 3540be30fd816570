//! Calls about a number that are made at once: read marks, blocked people, the profile.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::secret::Secret;
use dakghar_core::domain::time::Timestamp;
use dakghar_core::ports::{
    Clock, NoAnswer, NumberAsk, NumberCall, NumberCallFailure, NumbersApi, PassedAnswer, PassedCall,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::http::{CallFailure, GraphAnswer, GraphHttp};
use super::lenient_json::Fields;
use super::passed::{self, Outgoing};
use super::proof::{self, Unfit};
use super::refusal::refusal;
use super::usage;

const PROFILE_FIELDS: &str = "about,address,description,email,profile_picture_url,websites,vertical";

/// Meta's endpoints of a number, beside the one for messages.
pub struct MetaNumbers {
    http: Arc<GraphHttp>,
    clock: Arc<dyn Clock>,
    unfit: Unfit,
}

impl MetaNumbers {
    /// Asks through this client. `clock` tells how far off a date is that Meta asks to wait for.
    pub fn new(http: Arc<GraphHttp>, clock: Arc<dyn Clock>) -> Self {
        Self {
            http,
            clock,
            unfit: Unfit::default(),
        }
    }

    /// The proof for a call with this token, if its app's secret is known and was not refused lately.
    fn proof(&self, token: &Secret, app_secret: Option<&Secret>) -> Option<String> {
        let secret = app_secret.filter(|secret| self.unfit.allows(secret, self.clock.uptime()))?;
        Some(proof::of(token, secret))
    }

    /// Notes that Meta refused a proof by this secret. A call that was refused so was not carried out, and may be made again.
    fn note_refused_proof(&self, app_secret: Option<&Secret>) {
        if app_secret.is_some_and(|secret| self.unfit.note(secret, self.clock.uptime())) {
            tracing::warn!("Meta refuses the proof by an app's secret; calls go without it for ten minutes");
        }
    }

    async fn call(&self, call: &NumberCall<'_>, proof: Option<&str>) -> Result<GraphAnswer, CallFailure> {
        let (token, timeout) = (call.token, call.timeout);
        let path = |endpoint: &str| {
            let proof = proof.map(|proof| format!("?{}={proof}", proof::PARAMETER));
            format!("{}/{endpoint}{}", call.number, proof.unwrap_or_default())
        };
        let (method, path, body) = match call.ask {
            NumberAsk::Blocked { limit, after } => {
                let limit = limit.to_string();
                let mut parameters = vec![("limit", limit.as_str())];
                parameters.extend(after.map(|after| ("after", after)));
                let path = path("block_users");
                return self.http.get(&path, &parameters, Some(token), timeout).await;
            }
            NumberAsk::Profile => {
                let parameters = [("fields", PROFILE_FIELDS)];
                let path = path("whatsapp_business_profile");
                return self.http.get(&path, &parameters, Some(token), timeout).await;
            }
            NumberAsk::MarkRead { wamid, typing } => {
                (Method::POST, path("messages"), read_mark(wamid, typing).to_string())
            }
            NumberAsk::Block(people) => (Method::POST, path("block_users"), blocking(people).to_string()),
            NumberAsk::Unblock(people) => (Method::DELETE, path("block_users"), blocking(people).to_string()),
            NumberAsk::ChangeProfile(fields) => (Method::POST, path("whatsapp_business_profile"), profile(fields)),
        };
        self.http.send_json(method, &path, token, body, timeout).await
    }
}

#[async_trait]
impl NumbersApi for MetaNumbers {
    async fn ask(&self, call: NumberCall<'_>) -> Result<Arc<str>, NumberCallFailure> {
        if call.token.is_mock_token() {
            return Ok(simulated(call.ask));
        }
        let proof = self.proof(call.token, call.app_secret);
        let judged = self.judged(&call, proof.as_deref()).await;
        match &judged {
            Err(NumberCallFailure::Refused(refusal)) if proof.is_some() && proof::is_why(refusal) => {
                self.note_refused_proof(call.app_secret);
                self.judged(&call, None).await
            }
            _ => judged,
        }
    }

    async fn pass(&self, call: PassedCall<'_>) -> Result<PassedAnswer, NoAnswer> {
        if call.token.is_mock_token() {
            return Ok(passed::simulated(call.request.method));
        }
        let PassedCall {
            request,
            token,
            app_secret,
            timeout,
        } = call;
        let request = Outgoing::new(request);
        let proof = self.proof(token, app_secret);
        let meta = (&*self.http, &*self.clock);
        let answer = request.send(meta, token, proof.as_deref(), timeout).await?;
        if proof.is_some() && passed::refuses_proof(&answer) {
            self.note_refused_proof(app_secret);
            return request.send(meta, token, None, timeout).await;
        }
        Ok(answer)
    }
}

impl MetaNumbers {
    async fn judged(&self, call: &NumberCall<'_>, proof: Option<&str>) -> Result<Arc<str>, NumberCallFailure> {
        match self.call(call, proof).await {
            Ok(answer) => {
                *call.used.lock() = usage::read(&answer.headers);
                judge(&answer, self.clock.wall())
            }
            Err(failure) => Err(NumberCallFailure::NoAnswer(failure.why())),
        }
    }
}

fn judge(answer: &GraphAnswer, now: Timestamp) -> Result<Arc<str>, NumberCallFailure> {
    let code = answer.status.as_u16();
    let no_verdict = || NumberCallFailure::NoAnswer(format!("Meta's answer says nothing (HTTP {code})").into());
    let text = std::str::from_utf8(&answer.body).map_err(|_| no_verdict())?;
    let fields = Fields::parse(text).ok_or_else(no_verdict)?;
    match refusal(code, &answer.headers, &fields, now) {
        Some(refusal) => Err(NumberCallFailure::Refused(refusal)),
        None if answer.status.is_success() => Ok(text.into()),
        None => Err(no_verdict()),
    }
}

fn read_mark(wamid: &str, typing: bool) -> Value {
    let mut mark = json!({"messaging_product": "whatsapp", "status": "read", "message_id": wamid});
    if typing {
        mark["typing_indicator"] = json!({"type": "text"});
    }
    mark
}

fn blocking(people: &[String]) -> Value {
    let people: Vec<Value> = people.iter().map(|person| json!({"user": person})).collect();
    json!({"messaging_product": "whatsapp", "block_users": people})
}

/// Meta's fields, and in front of them what every request has.
fn profile(fields: &str) -> String {
    let rest = fields.trim_start().strip_prefix('{').unwrap_or("}");
    let separator = if rest.trim_start().starts_with('}') { "" } else { "," };
    format!(r#"{{"messaging_product":"whatsapp"{separator}{rest}"#)
}

/// The answer for a token that starts with `mock_`.
fn simulated(ask: NumberAsk<'_>) -> Arc<str> {
    match ask {
        NumberAsk::MarkRead { .. } | NumberAsk::ChangeProfile(_) => r#"{"success":true}"#.into(),
        NumberAsk::Blocked { .. } | NumberAsk::Profile => r#"{"data":[]}"#.into(),
        NumberAsk::Block(people) => outcome("added_users", people),
        NumberAsk::Unblock(people) => outcome("removed_users", people),
    }
}

fn outcome(name: &str, people: &[String]) -> Arc<str> {
    let people: Vec<Value> = people.iter().map(|person| json!({"input": person})).collect();
    let answer = json!({"messaging_product": "whatsapp", "block_users": {name: people}});
    answer.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_fields_stand_behind_those_of_every_request() {
        assert_eq!(profile("{}"), r#"{"messaging_product":"whatsapp"}"#);
        assert_eq!(
            profile(r#" { "about" : "a" }"#),
            r#"{"messaging_product":"whatsapp", "about" : "a" }"#
        );
    }
}
