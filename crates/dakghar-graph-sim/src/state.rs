//! What all parts of one simulated Meta share.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::biz_app::BizApps;
use crate::business::Businesses;
use crate::clock;
use crate::config::SimConfig;
use crate::dialog::Dialog;
use crate::drift::{Drift, Drifted};
use crate::fault::RuleEngine;
use crate::graph::auth::TokenCheck;
use crate::graph::error::GraphError;
use crate::journal::{Journal, JournalEntry, JournalFilter, Outcome};
use crate::limits::Limiter;
use crate::number::{Number, Numbers, phone_digits};
use crate::onboarding::{Onboarding, Subscribed};
use crate::stats::{CallStats, StatsSnapshot};
use crate::token::{Tokens, is_proof};
use crate::traffic::{Kind, Mixture, SentMessage, bodies_of};
use crate::usage::Allowances;
use crate::wamid::WamidFactory;
use crate::webhook::{WebhookError, Webhooks};

/// Bytes that one mixture may be expected to have; its bodies are all made before the first one is posted.
const MIXTURE_BYTES_MAX: f64 = 256_000_000.0;

pub(crate) fn now_seconds() -> i64 {
    i64::try_from(clock::since_epoch().as_secs()).unwrap_or(i64::MAX)
}

#[derive(Debug)]
pub(crate) struct State {
    tokens: TokenCheck,
    pub(crate) known_tokens: Tokens,
    pub(crate) latency: Duration,
    pub(crate) rules: RuleEngine,
    pub(crate) limiter: Limiter,
    pub(crate) allowances: Allowances,
    pub(crate) journal: Journal,
    pub(crate) numbers: Numbers,
    pub(crate) businesses: Businesses,
    pub(crate) onboarding: Onboarding,
    pub(crate) biz_apps: BizApps,
    pub(crate) drifted: Drifted,
    pub(crate) dialog: Dialog,
    pub(crate) wamids: WamidFactory,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) stats: CallStats,
    pub(crate) shutdown: CancellationToken,
}

impl State {
    pub(crate) fn build(config: SimConfig) -> std::io::Result<Self> {
        Ok(Self {
            journal: Journal::open(&config)?,
            webhooks: Arc::new(Webhooks::build(&config)?),
            rules: RuleEngine::seeded(config.seed),
            limiter: Limiter::with(config.limits),
            allowances: Allowances::default(),
            latency: Duration::from_millis(config.latency_ms),
            wamids: WamidFactory::started_now(),
            stats: CallStats::default(),
            shutdown: CancellationToken::new(),
            tokens: TokenCheck::from(config.accepted_tokens),
            known_tokens: Tokens::default(),
            numbers: Numbers::with(config.numbers),
            businesses: Businesses::default(),
            onboarding: Onboarding::default(),
            biz_apps: BizApps::default(),
            drifted: Drifted::default(),
            dialog: Dialog::default(),
        })
    }

    /// Changes what a number and its account are like. Returns false if there is no room.
    pub(crate) fn drift(&self, drift: Drift) -> bool {
        let number = drift.phone_number_id.as_deref();
        let account = drift
            .waba_id
            .or_else(|| number.map(|id| self.numbers.get(id).waba_id.clone()));
        let has_room = number.is_none_or(|id| self.drifted.put(id, drift.number));
        let Some(account) = account else { return has_room };
        let subscribed = drift.subscriptions.map(|apps| {
            let apps = apps.into_iter().map(|app| Subscribed {
                app_id: app.app_id,
                override_callback_uri: app.override_callback_uri,
            });
            self.onboarding.set_subscribed(&account, apps.collect())
        });
        has_room && self.drifted.put(&account, drift.account) && subscribed.unwrap_or(true)
    }

    /// Meta's code 190 unless the token may call. One that was described may call while it works.
    pub(crate) fn allow(&self, token: Option<&str>) -> Result<(), GraphError> {
        match token.and_then(|token| self.known_tokens.described(token)) {
            Some(known) if known.works(now_seconds()) => Ok(()),
            Some(_) => Err(GraphError::of(190)),
            None => self.tokens.allow(token),
        }
    }

    /// Meta's code 100 if a proof is missing that the app requires, or is wrong.
    pub(crate) fn check_proof(&self, token: Option<&str>, proof: Option<&str>) -> Result<(), GraphError> {
        let refused = |text: &str| Err(GraphError::of(100).saying(text.to_owned()));
        let (Some(secret), Some(token)) = (self.webhooks.app_secret(), token) else {
            return Ok(());
        };
        match proof {
            None if self.known_tokens.requires_proof() => {
                refused("API calls from the server require an appsecret_proof argument")
            }
            Some(proof) if !is_proof(proof, token, &secret) => {
                refused("Invalid appsecret_proof provided in the API argument")
            }
            _ => Ok(()),
        }
    }

    /// The account of a number that was seen; of any other id that itself.
    pub(crate) fn account_of(&self, id: &str) -> String {
        let numbers = self.numbers.all();
        let number = numbers.iter().find(|number| number.phone_number_id == id);
        number.map_or_else(|| id.to_owned(), |number| number.waba_id.clone())
    }

    /// Meta's refusal if the allowance for calls about this number or account is used up.
    pub(crate) fn admit(&self, id: &str) -> Result<(), GraphError> {
        if self.allowances.is_empty() {
            return Ok(());
        }
        self.allowances.admit(&self.account_of(id))
    }

    /// The messages of this number that were accepted, which statuses and replies may name.
    fn sent(&self, phone_number_id: Option<&str>) -> Vec<SentMessage> {
        let filter = JournalFilter {
            phone_number_id: phone_number_id.map(str::to_owned),
            ..JournalFilter::default()
        };
        let sent = |entry: JournalEntry| match entry.outcome {
            Outcome::Accepted { wamid } => Some(SentMessage {
                phone_number_id: entry.phone_number_id,
                wamid,
                to: entry.to.as_deref().and_then(phone_digits)?,
                biz_opaque: entry.biz_opaque,
            }),
            Outcome::Marked | Outcome::Refused { .. } | Outcome::Dropped => None,
        };
        self.journal.entries(&filter).into_iter().filter_map(sent).collect()
    }

    /// Plans one update of this kind; gives the number of bodies.
    pub(crate) fn send_kind(&self, kind: Kind, phone_number_id: &str, seed: u64) -> Result<usize, WebhookError> {
        let number = self.numbers.get(phone_number_id);
        let sent = self.sent(Some(phone_number_id));
        let bodies = bodies_of(kind, &number, &sent, seed, now_seconds());
        let planned: Vec<_> = bodies.into_iter().map(|body| (Duration::ZERO, body, 1)).collect();
        let count = planned.len();
        self.webhooks.push_bodies(planned)?;
        Ok(count)
    }

    /// Plans a mixture; gives the number of bodies.
    pub(crate) fn send_mixture(&self, mixture: &Mixture) -> Result<usize, WebhookError> {
        if let Some(flaw) = mixture.flaw() {
            return Err(WebhookError::InvalidMessage(flaw));
        }
        if mixture.expected_bytes() > MIXTURE_BYTES_MAX {
            return Err(WebhookError::InvalidMessage(
                "the mixture would be larger than 256 MB".to_owned(),
            ));
        }
        let ids = &mixture.phone_number_ids;
        let numbers: Vec<Number> = if ids.is_empty() {
            self.numbers
                .all()
                .iter()
                .map(|number| number.as_ref().clone())
                .collect()
        } else {
            ids.iter().map(|id| self.numbers.get(id).as_ref().clone()).collect()
        };
        if numbers.is_empty() {
            return Err(WebhookError::InvalidMessage(
                "no number is known yet; name some".to_owned(),
            ));
        }
        let bodies = mixture.bodies(numbers, self.sent(None), now_seconds());
        let planned: Vec<_> = bodies
            .map(|body| (Duration::from_millis(body.at_ms), body.body, body.updates))
            .collect();
        let count = planned.len();
        self.webhooks.push_bodies(planned)?;
        Ok(count)
    }

    pub(crate) fn snapshot(&self) -> StatsSnapshot {
        StatsSnapshot {
            connections: self.stats.connections.get(),
            calls: self.stats.calls.get(),
            accepted: self.stats.accepted.get(),
            refused: self.stats.refused.get(),
            faults: self.stats.faults.get(),
            resets: self.stats.resets.get(),
            webhook_posts_ok: self.webhooks.posts_ok.get(),
            webhook_posts_failed: self.webhooks.posts_failed.get(),
            webhook_events_delivered: self.webhooks.events_delivered.get(),
            webhook_events_dropped: self.webhooks.events_dropped.get(),
            webhook_events_pending: self.webhooks.pending() as u64,
            journal_dropped: self.journal.dropped(),
        }
    }
}
