//! The flows that are made from several others.

use std::sync::Arc;

use super::callbacks::CallbacksSetup;
use super::checking::NumberChecks;
use super::commits::Commits;
use super::departing::Departing;
use super::endpoints::Endpoints;
use super::erasing::Erasing;
use super::failed_requests::FailedRequests;
use super::feed::{Sequencing, Watching};
use super::health::Health;
use super::installation::SecretsWatch;
use super::listening::Listening;
use super::meta_apps::KnownApps;
use super::number_calls::NumberCalls;
use super::onboarding::Onboarding;
use super::opt_outs::OptOuts;
use super::receiving::Receiving;
use super::redriving::Redriving;
use super::sending::{Accepting, BulkAccepting, Changing, Shared};
use super::settings::Settings;
use super::tenants::Tenants;
use super::tenants::directory::Directory;
use super::tenants::key_uses::KeyUses;
use super::tokens::{AppSecrets, TokenChecks, TokenWatch};
use super::waiting::Waiting;
use crate::domain::opaque::OpaqueSigner;
use crate::group_commit::BoxFuture;
use crate::ports::Ports;
use crate::vault::SigningKeys;

/// Signs callback data; what was signed before the master key was changed is still known.
pub(super) fn signer_of(keys: &SigningKeys) -> Arc<OpaqueSigner> {
    let previous = keys.opaque_previous.as_ref().map(|secret| &secret[..]);
    Arc::new(OpaqueSigner::new(&keys.opaque, previous))
}

/// Accepting messages, one or many at once.
pub(super) fn accepting_of(
    ports: &Ports,
    settings: &Settings,
    commits: &Commits,
    waiting: Arc<Waiting>,
    shared: &Shared,
) -> (Arc<Accepting>, Arc<BulkAccepting>, BoxFuture<()>) {
    let (accepts, messages) = (commits.accept.clone(), shared.messages.clone());
    let accepting = Accepting::new(ports, accepts, waiting, messages, settings.attempts_max);
    let accepting = Arc::new(accepting);
    let (bulks, carrying) = BulkAccepting::new(accepting.clone(), &settings.limits(&ports.metrics));
    (accepting, Arc::new(bulks), carrying)
}

pub(super) fn apps_of(ports: &Ports, settings: &Settings) -> (Arc<KnownApps>, AppSecrets) {
    let known = Arc::new(KnownApps::new(ports));
    (known.clone(), AppSecrets::new(settings.default_app.clone(), known))
}

pub(super) fn number_calls_of(ports: &Ports, tenants: &Arc<Tenants>, shared: &Shared) -> Arc<NumberCalls> {
    let (secrets, allowances) = (shared.app_secrets.clone(), shared.allowances.clone());
    Arc::new(NumberCalls::new(ports.clone(), tenants.clone(), secrets, allowances))
}

/// Tenants, and who looks at their access tokens.
pub(super) fn tenants_of(
    ports: &Ports,
    settings: &Settings,
    directory: &Arc<Directory>,
    key_uses: KeyUses,
    app_secrets: &AppSecrets,
) -> (Arc<Tenants>, Arc<TokenWatch>) {
    let checks = TokenChecks::new(ports, app_secrets.clone());
    let tenants = Tenants::new(ports.clone(), directory.clone(), key_uses, checks.clone(), settings);
    let tenants = Arc::new(tenants);
    let watch = TokenWatch::new(ports, tenants.clone(), checks);
    (tenants, Arc::new(watch))
}

/// What the deliveries to endpoints need.
pub(super) fn callbacks_of(
    ports: &Ports,
    settings: &Settings,
    commits: &Commits,
    shared: &Shared,
    tenants: &Arc<Tenants>,
    directory: &Arc<Directory>,
) -> CallbacksSetup {
    let watching = Arc::new(Watching::new(ports, shared.messages.outcomes().clone()));
    CallbacksSetup {
        ports: ports.clone(),
        messages: shared.messages.clone(),
        directory: directory.clone(),
        endpoints: endpoints_of(ports, tenants, settings),
        advances: commits.advance.clone(),
        rules: settings.callback_rules.clone(),
        timeout: settings.callback_timeout,
        look_every: settings.endpoints_look_every,
        sequencing: Arc::new(Sequencing::new(ports, watching.clone(), &settings.worker_id)),
        watching,
        outages: shared.outages.clone(),
    }
}

/// Changes messages through what the flows share.
pub(super) fn changing_of(
    ports: &Ports,
    shared: &Shared,
    directory: &Arc<Directory>,
    waiting: &Arc<Waiting>,
) -> Arc<Changing> {
    Arc::new(Changing {
        messages: shared.messages.clone(),
        slots: shared.slots.clone(),
        jobs: shared.jobs.clone(),
        clock: ports.clock.clone(),
        directory: directory.clone(),
        waiting: waiting.clone(),
    })
}

pub(super) fn redriving_of(
    ports: &Ports,
    settings: &Settings,
    shared: &Shared,
    tenants: &Arc<Tenants>,
    changing: &Arc<Changing>,
) -> Arc<Redriving> {
    let (tenants, changing) = (tenants.clone(), changing.clone());
    Arc::new(Redriving::new(
        ports,
        settings,
        tenants,
        changing,
        shared.outages.clone(),
    ))
}

pub(super) fn erasing_of(
    ports: &Ports,
    settings: &Settings,
    shared: &Shared,
    (changing, opt_outs): (&Arc<Changing>, &Arc<OptOuts>),
) -> Arc<Erasing> {
    let outages = shared.outages.clone();
    Arc::new(Erasing::new(
        ports,
        settings,
        (changing.clone(), opt_outs.clone()),
        outages,
    ))
}

pub(super) fn onboarding_of(
    ports: &Ports,
    settings: &Settings,
    shared: &Shared,
    tenants: &Arc<Tenants>,
) -> Arc<Onboarding> {
    let (apps, outages) = (shared.app_secrets.clone(), shared.outages.clone());
    Arc::new(Onboarding::new(ports, settings, tenants.clone(), apps, outages))
}

pub(super) fn number_checks_of(
    ports: &Ports,
    settings: &Settings,
    shared: &Shared,
    tenants: &Arc<Tenants>,
) -> Arc<NumberChecks> {
    let apps = shared.app_secrets.clone();
    Arc::new(NumberChecks::new(ports, settings, tenants.clone(), apps))
}

pub(super) fn departing_of(
    ports: &Ports,
    settings: &Settings,
    shared: &Shared,
    (tenants, changing): (&Arc<Tenants>, &Arc<Changing>),
) -> Arc<Departing> {
    let (apps, outages) = (shared.app_secrets.clone(), shared.outages.clone());
    let both = (tenants.clone(), changing.clone());
    Arc::new(Departing::new(ports, settings, both, apps, outages))
}

fn endpoints_of(ports: &Ports, tenants: &Arc<Tenants>, settings: &Settings) -> Arc<Endpoints> {
    let rules = settings.callback_rules.clone();
    let timeout = settings.callback_timeout;
    Arc::new(Endpoints::new(ports.clone(), tenants.clone(), rules, timeout))
}

/// Takes Meta's webhooks.
pub(super) fn receiving_of(
    ports: &Ports,
    commits: &Commits,
    (tenants, directory): (&Arc<Tenants>, &Arc<Directory>),
    opaque: &Arc<OpaqueSigner>,
    shared: &Shared,
    (opt_outs, listening, known_apps): (Arc<OptOuts>, Arc<Listening>, Arc<KnownApps>),
) -> Arc<Receiving> {
    Arc::new(Receiving::new(
        ports.clone(),
        commits.receive.clone(),
        (tenants.clone(), directory.clone()),
        opaque.clone(),
        (shared.holds.clone(), opt_outs),
        (listening, known_apps, shared.app_secrets.clone()),
    ))
}

/// When webhooks are received, and what people said about being written to.
pub(super) fn heard_of(ports: &Ports, settings: &Settings) -> (Arc<Listening>, Arc<OptOuts>) {
    let listening = Listening::new(ports, settings);
    (Arc::new(listening), Arc::new(OptOuts::new(ports)))
}

pub(super) fn health_of(ports: &Ports, shared: &Shared) -> Arc<Health> {
    Arc::new(Health {
        failed_requests: Arc::new(FailedRequests::new(ports.store_health.clone(), ports.clock.clone())),
        store: ports.store_health.clone(),
        queue: ports.queue.clone(),
        host: shared.host.clone(),
        clock: ports.clock.clone(),
        metrics: ports.metrics.clone(),
        vault: ports.vault.clone(),
        secrets: SecretsWatch::new(ports),
    })
}
