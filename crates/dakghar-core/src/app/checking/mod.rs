//! Checks numbers at Meta, at a gentle pace: each once in some hours, at a moment of its own, and at once where somebody or an
//! event of Meta's asks for it.
//!
//! A pass walks all tenants, and then checks the numbers that are due, the most urgent ones first. It is short: what it does not
//! come to is left to the next one, which walks anew, so that nothing urgent waits behind what is not. Of each tenant a process
//! takes some numbers, which is a save, asks Meta, and saves what it learned together with the events that tell of it. So each
//! difference is told once, whoever walks. A process that dies in between leaves numbers that rest for some minutes, and are
//! then checked by the next one. An answer that says nothing of a number changes nothing.

mod asking;
mod at_once;
mod keeping;
mod lanes;
mod passes;

use std::sync::Arc;
use std::time::Duration;

use super::settings::Settings;
use super::tenants::Tenants;
use super::tokens::AppSecrets;
use crate::domain::Timestamp;
use crate::metrics::Metrics;
use crate::ports::{Clock, OnboardingApi, Pacer, Ports, TenantStore, TimerStore, WebhookOverride};
use crate::vault::Vault;

pub use at_once::LiveNumber;
pub use passes::{CheckPass, CheckStep};

/// Checks numbers at Meta.
pub struct NumberChecks {
    api: Arc<dyn OnboardingApi>,
    apps: AppSecrets,
    tenants: Arc<Tenants>,
    store: Arc<dyn TenantStore>,
    timers: Arc<dyn TimerStore>,
    pacer: Arc<dyn Pacer>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    every: Option<Duration>,
    subscribes_again: bool,
    own_urls: Vec<Arc<str>>,
    webhook: Option<WebhookOverride>,
    /// When this process began: numbers that were never checked are spread over the time from then on.
    began: Timestamp,
}

impl NumberChecks {
    pub(in crate::app) fn new(ports: &Ports, settings: &Settings, tenants: Arc<Tenants>, apps: AppSecrets) -> Self {
        let webhook = settings.signups.webhook.clone();
        let mut own_urls = settings.checks.own_urls.clone();
        own_urls.extend(webhook.as_ref().map(|webhook| webhook.url.clone()));
        Self {
            api: ports.onboarding_api.clone(),
            apps,
            tenants,
            store: ports.tenants.clone(),
            timers: ports.timers.clone(),
            pacer: ports.pacer.clone(),
            vault: ports.vault.clone(),
            clock: ports.clock.clone(),
            metrics: ports.metrics.clone(),
            every: settings.checks.every,
            subscribes_again: settings.checks.subscribes_again,
            own_urls,
            webhook,
            began: ports.clock.wall(),
        }
    }

    /// The time in which a number is checked once; `None` if nobody checks by itself.
    pub const fn every(&self) -> Option<Duration> {
        self.every
    }
}
