//! What Meta posts: statuses that come late, twice and out of order, what people write, and news. It posts again until
//! somebody takes it.

use std::time::Duration;

use dakghar_core::domain::message::{EvidenceStatus, Origin, ReportedStatus};
use dakghar_core::domain::meta_app::{Addressed, AppCredentials};
use dakghar_core::domain::webhook::{InboundMessage, OtherPart, StatusReport, WebhookPart};
use dakghar_core::domain::{ConversationKind, PhoneNumberId};
use dakghar_core::ports::{SignatureCheck, WebhookCodec};
use dakghar_testkit::samples;
use futures_util::future::{Either, select};

use super::{Meta, Request};
use crate::world::APP;
use crate::world::executor::WORLD;
use crate::world::ports::Shared;
use crate::world::random::Random;

const REPORT_MAX: Duration = Duration::from_secs(20);
/// Reports may come when a grace is over and the message was perhaps sent again.
const LATE_REPORT_MIN: Duration = Duration::from_secs(130);
const VERY_LATE_REPORT_MAX: Duration = Duration::from_secs(20 * 60);
/// How long Meta waits for the answer to a webhook.
const POST_PATIENCE: Duration = Duration::from_secs(20);
/// How long Meta waits before it posts again what nobody took: first, and at most here. In life the first time is about a
/// minute and the last one days; here even the first is longer than the grace, so that no haste of Meta's heals anything.
const POST_AGAIN_FIRST: Duration = Duration::from_secs(125);
const POST_AGAIN_MAX: Duration = Duration::from_secs(16 * 60);

impl Meta {
    pub(super) fn report_later(&self, shared: &Shared, request: &Request) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let temper = state.temper;
        if !temper.reports {
            return;
        }
        let random = &mut state.random;
        let statuses: &[EvidenceStatus] = random.pick::<&[EvidenceStatus]>(&[
            &[EvidenceStatus::Sent, EvidenceStatus::Delivered],
            &[EvidenceStatus::Sent, EvidenceStatus::Delivered, EvidenceStatus::Read],
            &[EvidenceStatus::Sent],
            &[EvidenceStatus::Delivered],
            &[EvidenceStatus::Failed],
            &[EvidenceStatus::Sent, EvidenceStatus::Failed],
            &[EvidenceStatus::Failed, EvidenceStatus::Delivered],
            &[],
        ]);
        for status in statuses {
            if *status == EvidenceStatus::Failed {
                shared.promises.reported_failed(request.key, request.attempt);
            }
            let report = Self::report(request, *status);
            let repetitions = 1 + usize::from(random.chance(temper.reports_twice));
            for _ in 0..repetitions {
                let after = if !random.chance(temper.reports_late) {
                    random.wait(REPORT_MAX)
                } else if random.chance(700) {
                    LATE_REPORT_MIN + random.wait(LATE_REPORT_MIN * 2)
                } else {
                    random.wait(VERY_LATE_REPORT_MAX)
                };
                post(shared, after, random.fork(), vec![WebhookPart::Status(report.clone())]);
                state.posts_open += 1;
            }
        }
    }

    /// What Meta reports on a request.
    pub fn report(request: &Request, status: EvidenceStatus) -> StatusReport {
        StatusReport {
            frame: None,
            phone_number_id: request.number.clone(),
            waba_id: None,
            wamid: Self::wamid(request.key, request.attempt),
            status,
            reported_at: None,
            opaque: Some(request.opaque.clone()),
            error: None,
            participant: None,
            raw: format!("{} {} {}", request.opaque, status.as_str(), request.attempt).into(),
        }
    }

    /// A message that a person wrote to the number.
    pub fn inbound(number: &PhoneNumberId, from: &str, wamid: &str) -> InboundMessage {
        InboundMessage {
            frame: None,
            phone_number_id: number.clone(),
            waba_id: None,
            wamid: samples::wamid(wamid),
            origin: Origin::Person,
            status: ReportedStatus::Received,
            conversation_kind: ConversationKind::Person,
            peer: Some(from.into()),
            peer_id: Some(samples::person(from)),
            sender: None,
            also: Vec::new(),
            name: None,
            kind: "text".into(),
            body: r#"{"body":"Hi!"}"#.into(),
            raw: format!("{{\"id\":\"{wamid}\"}}").into(),
            sent_at: None,
        }
    }

    /// News of the number's account.
    pub fn news(number: &PhoneNumberId, text: &str) -> OtherPart {
        OtherPart {
            phone_number_id: Some(number.clone()),
            display_digits: None,
            waba_id: None,
            field: "account_update".into(),
            problem: None,
            raw: text.into(),
            amends: None,
            signals: Vec::new(),
            news: None,
            waves: Vec::new(),
            told_at: None,
        }
    }

    /// Posts these parts until some process takes them.
    pub fn post(&self, shared: &Shared, parts: Vec<WebhookPart>) {
        let mut state = self.state.lock();
        state.posts_open += 1;
        let random = state.random.fork();
        drop(state);
        post(shared, Duration::ZERO, random, parts);
    }

    /// The body of a webhook with these parts, for [`crate::world::process::Process::receive`].
    pub fn body(&self, parts: Vec<WebhookPart>) -> Vec<u8> {
        let mut state = self.state.lock();
        state.posts.push(parts);
        (state.posts.len() - 1).to_string().into_bytes()
    }
}

fn post(shared: &Shared, after: Duration, mut random: Random, parts: Vec<WebhookPart>) {
    let shared = shared.clone();
    let executor = shared.wire.executor.clone();
    executor.clone().spawn(WORLD, async move {
        executor.sleep(after).await;
        let mut again = POST_AGAIN_FIRST;
        loop {
            if let Some(process) = shared.gateways.any(&mut random) {
                let body = shared.meta.body(parts.clone());
                let (life, receiver) = (process.life(), process);
                let answered = executor.ask(life, async move { receiver.receive(&body).await.is_ok() });
                let patience = executor.sleep(POST_PATIENCE);
                if let Either::Left((Ok(true), _)) = select(answered, patience).await {
                    break;
                }
            }
            shared.promises.webhook_refused(executor.now(), &parts);
            executor.sleep(again + random.wait(again)).await;
            again = (again * 2).min(POST_AGAIN_MAX);
        }
        shared.promises.webhook_answered(&shared, &parts);
        shared.meta.state.lock().posts_open -= 1;
    });
}

/// All that it posts is of the app of the settings.
fn is_for_own(addressed: Addressed<'_>) -> bool {
    matches!(addressed, Addressed::AnyApp | Addressed::OneApp(APP))
}

impl WebhookCodec for Meta {
    fn check_signature(&self, addressed: Addressed<'_>, _body: &[u8], _signatures: &[&[u8]]) -> SignatureCheck {
        if is_for_own(addressed) {
            SignatureCheck::Valid
        } else {
            SignatureCheck::Invalid
        }
    }

    fn use_apps(&self, _apps: Vec<AppCredentials>) {}

    fn is_verify_token(&self, addressed: Addressed<'_>, _token: &str) -> bool {
        is_for_own(addressed)
    }

    fn parse(&self, body: &[u8]) -> Vec<WebhookPart> {
        let place: usize = String::from_utf8_lossy(body).parse().expect("one of ours");
        self.state.lock().posts[place].clone()
    }
}
