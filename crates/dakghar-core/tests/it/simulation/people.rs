//! Clients, tenants and operators. They ask some process, and ask again if nobody answers.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::domain::message::EvidenceStatus;
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{Actor, ErrorCode, MessageKey, PhoneNumberId, Problem, TenantId};
use futures_util::future::{Either, select};
use parking_lot::Mutex;

use super::plan::{Deed, Name, Pause, Send, TenantNo};
use crate::steps::ignoring_expiry;
use crate::world::body;
use crate::world::meta::Meta;
use crate::world::ports::Shared;
use crate::world::process::Process;
use crate::world::random::Random;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it waits before it asks again.
const AGAIN: Duration = Duration::from_secs(2);
/// How often it asks.
const ASKS_MAX: usize = 12;

/// How often somebody asks for what cannot be done yet, and the wait in between.
const WISHES_MAX: usize = 6;
const WISH_AGAIN: Duration = Duration::from_secs(40);

/// A tenant of the run.
pub struct Account {
    pub id: TenantId,
    pub number: PhoneNumberId,
    tokens: Mutex<u32>,
}

/// Everybody who asks for something.
#[derive(Clone)]
pub struct People {
    pub shared: Shared,
    pub accounts: Arc<Vec<Account>>,
    known: Arc<Mutex<Vec<(Name, MessageKey)>>>,
    random: Arc<Mutex<Random>>,
}

impl Account {
    pub fn new(id: TenantId, number: PhoneNumberId) -> Self {
        Self {
            id,
            number,
            tokens: Mutex::new(1),
        }
    }

    fn is_latest(&self, token: &str) -> bool {
        token == format!("token-{}", self.tokens.lock())
    }

    /// The next token of the tenant.
    pub fn next_token(&self) -> String {
        let mut tokens = self.tokens.lock();
        *tokens += 1;
        format!("token-{tokens}")
    }
}

impl People {
    pub fn new(shared: Shared, accounts: Vec<Account>, random: Random) -> Self {
        Self {
            shared,
            accounts: Arc::new(accounts),
            known: Arc::default(),
            random: Arc::new(Mutex::new(random)),
        }
    }

    fn account(&self, tenant: TenantNo) -> &Account {
        &self.accounts[tenant]
    }

    fn known(&self, name: Name) -> Option<MessageKey> {
        let known = self.known.lock();
        known.iter().find(|(of, _)| *of == name).map(|(_, key)| *key)
    }

    /// Asks one process once. `None`: no answer came, and nobody knows what became of it.
    async fn ask<T, F>(&self, ask: impl FnOnce(Process) -> F) -> Option<Result<T, Problem>>
    where
        T: std::marker::Send + 'static,
        F: Future<Output = Result<T, Problem>> + std::marker::Send + 'static,
    {
        let process = {
            let mut random = self.random.lock();
            self.shared.gateways.any(&mut random)?
        };
        let executor = &self.shared.wire.executor;
        let answered = executor.ask(process.life(), ask(process));
        match select(answered, executor.sleep(PATIENCE)).await {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(_) => None,
        }
    }

    /// Asks until somebody says yes or no.
    pub async fn insist<T, F>(&self, ask: impl Fn(Process) -> F) -> Option<Result<T, Problem>>
    where
        T: std::marker::Send + 'static,
        F: Future<Output = Result<T, Problem>> + std::marker::Send + 'static,
    {
        for _ in 0..ASKS_MAX {
            match self.ask(&ask).await {
                Some(Err(problem)) if may_go_away(problem.code) => {}
                Some(answer) => return Some(answer),
                None => {}
            }
            self.shared.wire.executor.sleep(AGAIN).await;
        }
        None
    }

    /// Does what the plan says, apart from what happens to processes.
    pub async fn act(self, deed: Deed) {
        self.shared.wire.trace.note(|| format!("ACT {deed:?}"));
        match deed {
            Deed::Send(name, send) => self.send(name, send).await,
            Deed::Cancel(name) => self.cancel(name).await,
            Deed::Redrive(name, accepts_risk) => self.redrive(name, accepts_risk).await,
            Deed::Meddle(name) => self.meddle(name).await,
            Deed::Pause(tenant, pause) => self.pause(tenant, pause).await,
            Deed::Resume(tenant) => self.resume(tenant).await,
            Deed::LoseToken(tenant, replaced_after) => self.lose_token(tenant, replaced_after).await,
            Deed::Restrict(tenant, over_after) => self.restrict(tenant, over_after).await,
            Deed::LoseQueue => self.shared.redis.lose_everything(),
            Deed::Write(tenant, number) => {
                let wamid = format!("wamid.inbound.{number}");
                let inbound = Meta::inbound(&self.account(tenant).number, "919333333333", &wamid);
                self.shared.meta.post(&self.shared, vec![WebhookPart::Message(inbound)]);
            }
            Deed::News(tenant, number) => {
                let news = Meta::news(&self.account(tenant).number, &format!("news {number}"));
                self.shared.meta.post(&self.shared, vec![WebhookPart::Other(news)]);
            }
            Deed::Crash(..) | Deed::Freeze(..) | Deed::SetClock(..) => {}
        }
    }

    async fn send(&self, name: Name, send: Send) {
        let tenant = self.account(send.tenant).id;
        let now = self.shared.wire.executor.now();
        let mut more = format!(
            r#","unknownOutcome":"{}","priority":"{}""#,
            send.policy.as_str(),
            send.priority.as_str()
        );
        if let Some(after) = send.after {
            write!(more, r#","sendAt":"{}""#, now + after).expect("a string takes all");
        }
        if let Some(expires) = send.expires {
            let at = now + send.after.unwrap_or_default() + expires;
            write!(more, r#","expiresAt":"{at}""#).expect("a string takes all");
        }
        // The text says all that the request does, so that two requests are the same when their texts are.
        let text = format!("text {}{}.", send.text, more.replace('"', "'"));
        let (body, key) = (body(&text, &more), send.key.map(|key| format!("key-{key}")));
        for _ in 0..ASKS_MAX {
            let (sent, keyed) = (body.clone(), key.clone());
            let answer = self
                .ask(|process| async move { process.accept(&tenant, &sent, keyed.as_deref()).await })
                .await;
            if let Some(answer) = &answer {
                let shared = &self.shared;
                shared
                    .promises
                    .client_answered(shared, tenant, key.as_deref(), &text, answer);
            }
            match answer {
                Some(Ok(accepted)) => {
                    let message_id = accepted.message_id;
                    let key = MessageKey {
                        tenant_id: tenant,
                        message_id,
                    };
                    self.known.lock().push((name, key));
                    return;
                }
                Some(Err(problem)) if !may_go_away(problem.code) => return,
                // Without a key a second request would be a second message.
                _ if key.is_none() => return,
                _ => self.shared.wire.executor.sleep(AGAIN).await,
            }
        }
    }

    async fn cancel(&self, name: Name) {
        let Some(MessageKey { tenant_id, message_id }) = self.known(name) else {
            return;
        };
        let id = message_id.to_string();
        for _ in 0..WISHES_MAX {
            let cancel = |process: Process| {
                let id = id.clone();
                async move { process.cancel(&tenant_id, &id).await }
            };
            match self.insist(cancel).await {
                // It may be waiting again later.
                Some(Err(_)) => self.shared.wire.executor.sleep(WISH_AGAIN).await,
                _ => return,
            }
        }
    }

    async fn redrive(&self, name: Name, accepts_risk: bool) {
        let Some(key) = self.known(name) else { return };
        if accepts_risk {
            self.shared.promises.risk_accepted(key);
        }
        let id = key.message_id.to_string();
        for _ in 0..WISHES_MAX {
            let id = id.clone();
            let options = ignoring_expiry(accepts_risk);
            let redrive = |process: Process| async move { process.redrive(&key.tenant_id, &id, options).await };
            match self.ask(redrive).await {
                // It may be dead later.
                Some(Err(problem)) if problem.code == ErrorCode::NotRedrivable => {
                    self.shared.wire.executor.sleep(WISH_AGAIN).await;
                }
                // After no answer asking again would be another redrive.
                _ => return,
            }
        }
    }

    async fn meddle(&self, name: Name) {
        let Some(key) = self.known(name) else { return };
        let Some(other) = self.accounts.iter().find(|account| account.id != key.tenant_id) else {
            return;
        };
        let (tenant, id) = (other.id, key.message_id.to_string());
        let answer = self
            .ask(|process| async move {
                process.message(&tenant, &id).await?;
                process.cancel(&tenant, &id).await?;
                process.redrive(&tenant, &id, ignoring_expiry(true)).await
            })
            .await;
        self.shared.promises.refused_to_stranger(key, answer.as_ref());
        let requests = self.shared.meta.requests();
        if let Some((request, _)) = requests.iter().find(|(request, _)| request.key == key) {
            let mut report = Meta::report(request, EvidenceStatus::Read);
            report.phone_number_id = other.number.clone();
            let mut nameless = report.clone();
            (nameless.opaque, nameless.raw) = (None, "nameless".into());
            let parts = vec![WebhookPart::Status(report), WebhookPart::Status(nameless)];
            self.shared.meta.post(&self.shared, parts);
        }
    }

    async fn pause(&self, tenant: TenantNo, pause: Pause) {
        let account = self.account(tenant);
        let id = account.id;
        self.insist(|process| {
            let number = (pause == Pause::Number).then(|| account.number.to_string());
            let by = if pause == Pause::TenantByOperator {
                Actor::Operator
            } else {
                Actor::Tenant
            };
            async move { process.pause(&id, number.as_deref(), by).await }
        })
        .await;
    }

    pub async fn resume(&self, tenant: TenantNo) {
        let id = self.account(tenant).id;
        self.insist(|process| async move { process.resume(&id, None, Actor::Operator).await })
            .await;
    }

    async fn lose_token(&self, tenant: TenantNo, replaced_after: Duration) {
        let account = self.account(tenant);
        let token = account.next_token();
        self.shared.meta.demand_token(&account.number, &token);
        self.shared.wire.executor.sleep(replaced_after).await;
        // Meta may have refused this one too by now.
        if account.is_latest(&token) {
            self.replace_token(tenant, &token).await;
        }
    }

    pub async fn replace_token(&self, tenant: TenantNo, token: &str) {
        let id = self.account(tenant).id;
        self.insist(|process| {
            let token = token.to_owned();
            async move { process.replace_token(&id, None, &token).await }
        })
        .await;
    }

    async fn restrict(&self, tenant: TenantNo, over_after: Duration) {
        let number = self.account(tenant).number.clone();
        self.shared.meta.restrict(&number, true);
        self.shared.wire.executor.sleep(over_after).await;
        self.shared.meta.restrict(&number, false);
    }
}

/// Whether asking again may help.
const fn may_go_away(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::StoreUnavailable | ErrorCode::Overloaded | ErrorCode::ShuttingDown | ErrorCode::Conflict
    )
}
