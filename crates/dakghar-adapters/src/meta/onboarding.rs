//! Connecting numbers: the exchange of codes, accounts and their numbers, subscriptions, registrations, credit lines.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::ids::{PhoneNumberId, WabaId};
use dakghar_core::domain::secret::Secret;
use dakghar_core::domain::signup::{AccountFacts, NumberFacts, Subscription};
use dakghar_core::domain::standing::SeenNumber;
use dakghar_core::ports::{
    ACCOUNT_NUMBERS_MAX, AppAccess, AppSync, Bearer, Clock, CreditShare, NumberCallFailure, OnboardingApi,
    WebhookOverride,
};
use reqwest::Method;
use serde_json::json;

use super::facts::{list_of, next_page, number, short, subscription};
use super::http::{CallFailure, GraphAnswer, GraphHttp};
use super::lenient_json::{Fields, elements};
use super::proof;
use super::refusal::refusal;
use super::standing;

/// The time that a call may take. A code lives for 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The same for registering, which Meta may take long for.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest token that is believed. Meta's have some 200 characters, and it warns that they may grow.
const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// The time for all pages of an account's numbers. With the call before it, it is shorter than the lease of a signup.
const NUMBERS_TIMEOUT: Duration = Duration::from_secs(20);
/// Numbers of an account that are read at once.
const PAGE: usize = 100;
/// Pages of numbers that are read.
const PAGES_MAX: usize = ACCOUNT_NUMBERS_MAX / PAGE;

const ACCOUNT_FIELDS: &str = "id,name,currency,account_review_status,primary_funding_id";
const NUMBER_FIELDS: &str = "id,display_phone_number,verified_name,status,platform_type,is_on_biz_app,\
    code_verification_status,quality_rating,whatsapp_business_manager_messaging_limit,throughput";
const PROFILE_FIELDS: &str = "about,address,description,email,profile_picture_url,websites,vertical";

/// Meta's endpoints for connecting numbers.
pub struct MetaOnboarding {
    http: Arc<GraphHttp>,
    clock: Arc<dyn Clock>,
}

impl MetaOnboarding {
    /// Asks through this client. `clock` tells how far off a date is that Meta asks to wait for.
    pub const fn new(http: Arc<GraphHttp>, clock: Arc<dyn Clock>) -> Self {
        Self { http, clock }
    }

    /// Asks for what is below a path.
    async fn ask(
        &self,
        as_: Bearer<'_>,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<GraphAnswer, NumberCallFailure> {
        let proof = as_.app_secret.map(|secret| proof::of(as_.token, secret));
        let mut parameters = parameters.to_vec();
        parameters.extend(proof.as_deref().map(|proof| (proof::PARAMETER, proof)));
        let answer = self.http.get(path, &parameters, Some(as_.token), TIMEOUT).await;
        self.judged(answer)
    }

    /// Has something done.
    async fn act(&self, as_: Bearer<'_>, path: &str, body: String, timeout: Duration) -> Result<(), NumberCallFailure> {
        done(&self.change(as_, Method::POST, path, (body, timeout)).await?)
    }

    /// Has something taken back.
    async fn take_back(&self, as_: Bearer<'_>, path: &str) -> Result<(), NumberCallFailure> {
        let nothing = ("{}".to_owned(), TIMEOUT);
        done(&self.change(as_, Method::DELETE, path, nothing).await?)
    }

    /// Reads the numbers of an account page by page.
    async fn numbers_of(&self, as_: Bearer<'_>, id: &WabaId) -> Result<Vec<NumberFacts>, NumberCallFailure> {
        let (path, limit) = (format!("{id}/phone_numbers"), PAGE.to_string());
        let (mut numbers, mut after) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let mut parameters = vec![("fields", NUMBER_FIELDS), ("limit", limit.as_str())];
            parameters.extend(after.as_deref().map(|after| ("after", after)));
            let answer = self.ask(as_, &path, &parameters).await?;
            let fields = fields_of(&answer)?;
            let found = list_of(&fields, number).ok_or_else(|| says_nothing(&answer))?;
            numbers.extend(found);
            let next = next_page(&fields);
            if next.is_none() {
                break;
            }
            if next == after {
                // The same page would be read again and again.
                return Err(says_nothing(&answer));
            }
            after = next;
        }
        Ok(numbers)
    }

    async fn change(
        &self,
        as_: Bearer<'_>,
        method: Method,
        path: &str,
        (body, timeout): (String, Duration),
    ) -> Result<GraphAnswer, NumberCallFailure> {
        let proof = as_.app_secret.map(|secret| proof::of(as_.token, secret));
        let path = match &proof {
            Some(proof) => format!("{path}?{}={proof}", proof::PARAMETER),
            None => path.to_owned(),
        };
        let answer = self.http.send_json(method, &path, as_.token, body, timeout).await;
        self.judged(answer)
    }

    /// An answer with a status of success and without an error of Meta's.
    fn judged(&self, answer: Result<GraphAnswer, CallFailure>) -> Result<GraphAnswer, NumberCallFailure> {
        let answer = answer.map_err(|failure| NumberCallFailure::NoAnswer(failure.why()))?;
        let fields = fields_of(&answer)?;
        match refusal(answer.status.as_u16(), &answer.headers, &fields, self.clock.wall()) {
            Some(refusal) => Err(NumberCallFailure::Refused(refusal)),
            None if answer.status.is_success() => Ok(answer),
            None => Err(says_nothing(&answer)),
        }
    }
}

#[async_trait]
impl OnboardingApi for MetaOnboarding {
    async fn exchange(&self, app: AppAccess<'_>, code: &Secret) -> Result<Secret, NumberCallFailure> {
        let id = app.id.to_string();
        let asked = [
            ("client_id", id.as_str()),
            ("client_secret", app.secret.reveal()),
            ("code", code.reveal()),
        ];
        let answer = self.http.get("oauth/access_token", &asked, None, TIMEOUT).await;
        let answer = self.judged(answer)?;
        let fields = fields_of(&answer)?;
        // Meta's own libraries disagree about the name.
        let token = fields.text("access_token").or_else(|| fields.text("business_token"));
        let token = token.filter(|token| !token.is_empty() && token.len() <= TOKEN_BYTES_MAX);
        token.map(Secret::new).ok_or_else(|| says_nothing(&answer))
    }

    async fn account(&self, as_: Bearer<'_>, id: &WabaId) -> Result<AccountFacts, NumberCallFailure> {
        let answer = self.ask(as_, id.as_str(), &[("fields", ACCOUNT_FIELDS)]).await?;
        let fields = fields_of(&answer)?;
        if fields.text("id").as_deref() != Some(id.as_str()) {
            return Err(says_nothing(&answer));
        }
        Ok(AccountFacts {
            id: id.clone(),
            name: short(&fields, "name"),
            currency: short(&fields, "currency"),
            review_status: short(&fields, "account_review_status"),
            has_funding: fields
                .text("primary_funding_id")
                .is_some_and(|id| !id.is_empty() && id != "0"),
        })
    }

    async fn numbers(&self, as_: Bearer<'_>, id: &WabaId) -> Result<Vec<NumberFacts>, NumberCallFailure> {
        let all = tokio::time::timeout(NUMBERS_TIMEOUT, self.numbers_of(as_, id)).await;
        all.unwrap_or_else(|_| {
            let why = "Meta did not name all numbers of the account in time";
            Err(NumberCallFailure::NoAnswer(why.into()))
        })
    }

    async fn number(&self, as_: Bearer<'_>, id: &PhoneNumberId) -> Result<NumberFacts, NumberCallFailure> {
        let answer = self.ask(as_, id.as_str(), &[("fields", NUMBER_FIELDS)]).await?;
        let fields = fields_of(&answer)?;
        let found = number(&fields).filter(|number| number.id == *id);
        found.ok_or_else(|| says_nothing(&answer))
    }

    async fn standing(&self, as_: Bearer<'_>, id: &PhoneNumberId) -> Result<SeenNumber, NumberCallFailure> {
        let all = self.ask(as_, id.as_str(), &[("fields", standing::FIELDS)]).await;
        let answer = match all {
            // Some of the fields are not there for every app and version.
            Err(NumberCallFailure::Refused(refusal)) if standing::is_of_fields(&refusal) => {
                self.ask(as_, id.as_str(), &[("fields", NUMBER_FIELDS)]).await?
            }
            all => all?,
        };
        let fields = fields_of(&answer)?;
        let is_it = fields.text("id").as_deref() == Some(id.as_str());
        is_it
            .then(|| standing::read(&fields))
            .ok_or_else(|| says_nothing(&answer))
    }

    async fn profile(&self, as_: Bearer<'_>, id: &PhoneNumberId) -> Result<Arc<str>, NumberCallFailure> {
        let path = format!("{id}/whatsapp_business_profile");
        let answer = self.ask(as_, &path, &[("fields", PROFILE_FIELDS)]).await?;
        let fields = fields_of(&answer)?;
        let found = fields.get("data").and_then(elements);
        match found.as_deref() {
            Some([]) => Ok("{}".into()),
            Some([raw, ..]) if raw.get().starts_with('{') => Ok(raw.get().into()),
            _ => Err(says_nothing(&answer)),
        }
    }

    async fn subscriptions(&self, as_: Bearer<'_>, id: &WabaId) -> Result<Vec<Subscription>, NumberCallFailure> {
        let answer = self.ask(as_, &format!("{id}/subscribed_apps"), &[]).await?;
        let fields = fields_of(&answer)?;
        // What is not understood may be an override of somebody's, so it is not taken for nothing.
        list_of(&fields, subscription).ok_or_else(|| says_nothing(&answer))
    }

    async fn subscribe(
        &self,
        as_: Bearer<'_>,
        id: &WabaId,
        at: Option<&WebhookOverride>,
    ) -> Result<(), NumberCallFailure> {
        let body = match at {
            Some(at) => json!({"override_callback_uri": &*at.url, "verify_token": at.verify_token.reveal()}),
            None => json!({}),
        };
        self.act(as_, &format!("{id}/subscribed_apps"), body.to_string(), TIMEOUT)
            .await
    }

    async fn unsubscribe(&self, as_: Bearer<'_>, id: &WabaId) -> Result<(), NumberCallFailure> {
        self.take_back(as_, &format!("{id}/subscribed_apps")).await
    }

    async fn revoke(&self, as_: Bearer<'_>) -> Result<(), NumberCallFailure> {
        self.take_back(as_, "me/permissions").await
    }

    async fn register(&self, as_: Bearer<'_>, id: &PhoneNumberId, pin: &Secret) -> Result<(), NumberCallFailure> {
        let body = json!({"messaging_product": "whatsapp", "pin": pin.reveal()});
        self.act(as_, &format!("{id}/register"), body.to_string(), REGISTER_TIMEOUT)
            .await
    }

    async fn deregister(&self, as_: Bearer<'_>, id: &PhoneNumberId) -> Result<(), NumberCallFailure> {
        let body = json!({"messaging_product": "whatsapp"});
        self.act(as_, &format!("{id}/deregister"), body.to_string(), REGISTER_TIMEOUT)
            .await
    }

    async fn sync_app(
        &self,
        as_: Bearer<'_>,
        id: &PhoneNumberId,
        what: AppSync,
    ) -> Result<Option<Arc<str>>, NumberCallFailure> {
        let sync_type = match what {
            AppSync::Contacts => "smb_app_state_sync",
            AppSync::History => "history",
        };
        let body = json!({"messaging_product": "whatsapp", "sync_type": sync_type}).to_string();
        let (path, by) = (format!("{id}/smb_app_data"), (body, TIMEOUT));
        let answer = self.change(as_, Method::POST, &path, by).await?;
        let request_id = short(&fields_of(&answer)?, "request_id");
        if request_id.is_none() {
            done(&answer)?;
        }
        Ok(request_id)
    }

    async fn share_credit(&self, as_: Bearer<'_>, share: CreditShare<'_>) -> Result<(), NumberCallFailure> {
        let path = format!("{}/whatsapp_credit_sharing_and_attach", share.line);
        let body = json!({"waba_id": share.account.as_str(), "waba_currency": share.currency});
        // Meta answers with the id of what it has made.
        let by = (body.to_string(), TIMEOUT);
        let answer = self.change(as_, Method::POST, &path, by).await?;
        let is_made = fields_of(&answer)?.text("allocation_config_id").is_some();
        if is_made { Ok(()) } else { done(&answer) }
    }
}

fn fields_of(answer: &GraphAnswer) -> Result<Fields<'_>, NumberCallFailure> {
    let fields = std::str::from_utf8(&answer.body).ok().and_then(Fields::parse);
    fields.ok_or_else(|| says_nothing(answer))
}

/// Meta says of a change that it is made. Without that word nobody knows.
fn done(answer: &GraphAnswer) -> Result<(), NumberCallFailure> {
    let success = fields_of(answer)?.get("success").is_some_and(|raw| raw.get() == "true");
    if success { Ok(()) } else { Err(says_nothing(answer)) }
}

fn says_nothing(answer: &GraphAnswer) -> NumberCallFailure {
    let code = answer.status.as_u16();
    NumberCallFailure::NoAnswer(format!("Meta's answer says nothing (HTTP {code})").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_made_when_meta_says_so_and_nothing_else_is_that() {
        let answer = |body: &'static str| GraphAnswer {
            status: reqwest::StatusCode::OK,
            headers: reqwest::header::HeaderMap::new(),
            body: body.into(),
        };
        assert!(done(&answer(r#"{"success":true}"#)).is_ok());
        for body in [r#"{"success":false}"#, "{}", r#"{"success":"true"}"#, "[]", ""] {
            let failure = done(&answer(body)).expect_err(body);
            assert!(matches!(failure, NumberCallFailure::NoAnswer(_)), "{body}");
        }
    }
}
