//! Connecting numbers: the exchange of codes, accounts and their numbers, subscriptions, registrations, credit lines.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::ids::{AppId, PhoneNumberId, WabaId};
use dakghar_core::domain::secret::Secret;
use dakghar_core::domain::signup::{AccountFacts, NumberFacts, Subscription};
use dakghar_core::domain::standing::SeenNumber;
use dakghar_core::ports::{
    ACCOUNT_NUMBERS_MAX, AppAccess, AppSync, Bearer, Clock, CreditShare, NumberCallFailure, OnboardingApi,
    WebhookOverride,
};
use reqwest::Method;
use serde_json::json;

use super::http::{CallFailure, GraphAnswer, GraphHttp};
use super::lenient_json::{Fields, elements, text};
use super::proof;
use super::refusal::refusal;
use super::standing;

/// The time that a call may take. A code lives for 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The same for registering, which Meta may take long for.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest token that is believed. Meta's have some 200 characters, and it warns that they may grow.
const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Characters of a text of Meta's that are kept.
const TEXT_CHARS_MAX: usize = 128;
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
        let (path, limit) = (format!("{id}/phone_numbers"), PAGE.to_string());
        let (mut numbers, mut after) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let mut parameters = vec![("fields", NUMBER_FIELDS), ("limit", limit.as_str())];
            parameters.extend(after.as_deref().map(|after| ("after", after)));
            let answer = self.ask(as_, &path, &parameters).await?;
            let fields = fields_of(&answer)?;
            let found = fields
                .get("data")
                .and_then(elements)
                .ok_or_else(|| says_nothing(&answer))?;
            numbers.extend(found.into_iter().filter_map(Fields::of).filter_map(|of| number(&of)));
            after = next_page(&fields);
            if after.is_none() {
                break;
            }
        }
        Ok(numbers)
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
        let found = fields.get("data").and_then(elements).unwrap_or_default();
        let first = found.first().filter(|raw| raw.get().starts_with('{'));
        Ok(first.map_or_else(|| "{}".into(), |raw| raw.get().into()))
    }

    async fn subscriptions(&self, as_: Bearer<'_>, id: &WabaId) -> Result<Vec<Subscription>, NumberCallFailure> {
        let answer = self.ask(as_, &format!("{id}/subscribed_apps"), &[]).await?;
        let fields = fields_of(&answer)?;
        let found = fields.get("data").and_then(elements);
        // An element that is not understood may be an override of somebody's, so it is not taken for nothing.
        let read = found.and_then(|found| found.into_iter().map(|raw| subscription(&Fields::of(raw)?)).collect());
        read.ok_or_else(|| says_nothing(&answer))
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
        Ok(short(&fields_of(&answer)?, "request_id"))
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

/// A text of Meta's, as much of it as is kept.
fn short(fields: &Fields<'_>, name: &str) -> Option<Arc<str>> {
    let text = fields.text(name)?;
    let end = text
        .char_indices()
        .nth(TEXT_CHARS_MAX)
        .map_or(text.len(), |(end, _)| end);
    (!text.is_empty()).then(|| text[..end].into())
}

fn number(fields: &Fields<'_>) -> Option<NumberFacts> {
    let id = PhoneNumberId::parse(&fields.text("id")?).ok()?;
    let limit = "whatsapp_business_manager_messaging_limit";
    Some(NumberFacts {
        id,
        display: short(fields, "display_phone_number").filter(|text| text.chars().count() <= 32),
        verified_name: short(fields, "verified_name"),
        status: short(fields, "status"),
        platform: short(fields, "platform_type"),
        is_on_app: fields.get("is_on_biz_app").is_some_and(|raw| raw.get() == "true"),
        code_verification: short(fields, "code_verification_status"),
        quality: short(fields, "quality_rating"),
        messaging_limit: short(fields, limit),
        throughput: fields.object("throughput").and_then(|of| short(&of, "level")),
    })
}

/// Meta puts the app into an object of its own.
fn subscription(fields: &Fields<'_>) -> Option<Subscription> {
    let app = fields.object("whatsapp_business_api_data");
    let id = app.as_ref().unwrap_or(fields).text("id")?;
    Some(Subscription {
        app_id: AppId::parse(&id).ok()?,
        override_url: fields
            .text("override_callback_uri")
            .filter(|url| !url.is_empty())
            .map(|url| (*url).into()),
    })
}

/// Meta's cursor of the next page, if there is one. The address that it gives has the token in it.
fn next_page(fields: &Fields<'_>) -> Option<String> {
    let paging = fields.object("paging")?;
    paging.get("next")?;
    let cursors = paging.object("cursors")?;
    let after = cursors.get("after").and_then(text)?;
    Some(after.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_whatever_of_it_is_there() {
        let fields = Fields::parse(
            r#"{"id":501,"display_phone_number":"+1 555","throughput":{"level":"HIGH"},"is_on_biz_app":true}"#,
        );
        let read = number(&fields.expect("an object")).expect("a number");
        assert_eq!((read.id.as_str(), read.is_on_app), ("501", true));
        assert_eq!(read.messages_per_second(), Some(20));
        assert_eq!(read.status, None);
        let fields = Fields::parse(r#"{"display_phone_number":"+1 555"}"#).expect("an object");
        assert_eq!(number(&fields), None);
    }

    #[test]
    fn a_subscription_names_its_app_in_either_form() {
        for json in [
            r#"{"whatsapp_business_api_data":{"id":"5","name":"App"},"override_callback_uri":"https://a"}"#,
            r#"{"id":"5","override_callback_uri":"https://a"}"#,
        ] {
            let read = subscription(&Fields::parse(json).expect("an object")).expect("an app");
            assert_eq!(
                (read.app_id.as_str(), read.override_url.as_deref()),
                ("5", Some("https://a"))
            );
        }
    }

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

    #[test]
    fn the_next_page_is_by_its_cursor_and_only_where_meta_names_one() {
        let of = |json: &str| next_page(&Fields::parse(json).expect("an object"));
        assert_eq!(
            of(r#"{"paging":{"cursors":{"after":"c"},"next":"https://x"}}"#).as_deref(),
            Some("c")
        );
        assert_eq!(of(r#"{"paging":{"cursors":{"after":"c"}}}"#), None);
    }
}
