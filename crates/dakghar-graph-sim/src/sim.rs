//! The handle of a running simulator.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::biz_app::AppPlan;
use crate::config::SimConfig;
use crate::dialog::DialogPlan;
use crate::drift::Drift;
use crate::fault::{FaultRule, RuleId, RuleView};
use crate::journal::{JournalEntry, JournalFilter};
use crate::limits::Limits;
use crate::number::Number;
use crate::onboarding::{Account, NewCode, OnboardingCall};
use crate::registration::Registration;
use crate::server::serve;
use crate::state::State;
use crate::stats::StatsSnapshot;
use crate::token::Token;
use crate::traffic::{Kind, Mixture};
use crate::usage::Usage;
use crate::webhook::{InboundMessage, StatusEvent, StatusPlan, WebhookError};

/// A running simulated Meta. It stops when this is dropped or [`stop`](Self::stop)ped.
#[derive(Debug)]
pub struct GraphSim {
    addr: SocketAddr,
    state: Arc<State>,
    tasks: TaskTracker,
}

impl GraphSim {
    /// Listens and serves until stopped.
    ///
    /// # Errors
    /// The address cannot be bound, the journal file cannot be opened, or the plan of statuses is
    /// out of its ranges.
    pub async fn start(config: SimConfig) -> std::io::Result<Self> {
        if let Some(flaw) = config.statuses.flaw() {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, flaw));
        }
        let listener = TcpListener::bind(config.bind).await?;
        let addr = listener.local_addr()?;
        let state = Arc::new(State::build(config)?);
        let tasks = TaskTracker::new();
        tasks.spawn(serve(listener, Arc::clone(&state), tasks.clone()));
        let webhooks = Arc::clone(&state.webhooks);
        tasks.spawn(webhooks.run(state.shutdown.clone(), tasks.clone()));
        Ok(Self { addr, state, tasks })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL to give to a client in place of `https://graph.facebook.com`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Describes an access token, in place of what was said of it before.
    ///
    /// # Panics
    /// A hundred thousand tokens are described already.
    pub fn set_token(&self, token: Token) {
        assert!(self.state.known_tokens.put(token), "too many tokens were described");
    }

    /// Plays these limits on messages from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.state.limiter.set(limits);
    }

    /// Tells of these allowances with each answer from now on, and refuses messages and what is asked of media and templates
    /// where one is used up.
    pub fn set_usage(&self, usage: Usage) {
        self.state.allowances.set(usage);
    }

    /// Sets whether sends need a proof of the app's secret.
    pub fn require_proof(&self, requires: bool) {
        self.state.known_tokens.require_proof(requires);
    }

    /// Sets where webhooks go from now on; posts that wait for repetition go there too.
    pub fn set_webhook_url(&self, url: &str) {
        self.state.webhooks.set_url(Some(url));
    }

    /// Stops webhooks: nothing is planned any more, and what is pending is dropped when due.
    pub fn clear_webhook_url(&self) {
        self.state.webhooks.set_url(None);
    }

    /// Signs webhooks with this secret from now on; `None` leaves them unsigned.
    pub fn set_app_secret(&self, app_secret: Option<&str>) {
        self.state.webhooks.set_app_secret(app_secret);
    }

    /// Gives a number a WABA and a display number of its own.
    pub fn set_number(&self, number: Number) {
        self.state.numbers.put(number);
    }

    /// Changes what a number and its account are like, as it happens at Meta.
    ///
    /// # Panics
    /// A hundred thousand of them have drifted already.
    pub fn drift(&self, drift: Drift) {
        assert!(self.state.drift(drift), "too many numbers and accounts have drifted");
    }

    /// Gives a code of the dialog, which lives for 30 seconds unless told otherwise.
    ///
    /// # Panics
    /// A hundred thousand codes were made already.
    pub fn give_code(&self, new: NewCode) -> String {
        self.state.onboarding.add_code(new).expect("too many codes were made")
    }

    /// Describes an account, in place of what was said of it before.
    ///
    /// # Panics
    /// A hundred thousand accounts are described already.
    pub fn set_account(&self, account: Account) {
        assert!(
            self.state.onboarding.put_account(account),
            "too many accounts were described"
        );
    }

    /// Describes how far a number is, in place of what was said of it before.
    ///
    /// # Panics
    /// A hundred thousand numbers are described already.
    pub fn set_registration(&self, number: Registration) {
        assert!(self.state.describe_number(number), "too many numbers were described");
    }

    /// Sets what the WhatsApp Business apps of numbers have.
    ///
    /// # Panics
    /// The plan is out of its ranges.
    pub fn set_app_plan(&self, plan: AppPlan) {
        if let Some(flaw) = plan.flaw() {
            panic!("invalid plan of an app: {flaw}");
        }
        self.state.biz_apps.set_plan(plan);
    }

    /// The business types a message in its app: its echo is planned. Gives the message's id.
    ///
    /// # Errors
    /// No webhook URL is set.
    pub fn type_in_app(&self, phone_number_id: &str, to: &str, text: &str) -> Result<String, WebhookError> {
        self.state.type_in_app(phone_number_id, to, text)
    }

    /// The business disconnects its app, or connects it again, of which Meta tells with this event: `PARTNER_REMOVED`,
    /// `ACCOUNT_OFFBOARDED`, `ACCOUNT_RECONNECTED`.
    ///
    /// # Errors
    /// No webhook URL is set.
    pub fn change_app(&self, phone_number_id: &str, event: &str) -> Result<(), WebhookError> {
        self.state.change_app(phone_number_id, event)
    }

    /// Makes the dialog behave so from now on.
    pub fn set_dialog(&self, plan: DialogPlan) {
        self.state.dialog.set_plan(plan);
    }

    /// How far a number is.
    pub fn registration(&self, phone_number_id: &str) -> Registration {
        self.state.onboarding.number(phone_number_id)
    }

    /// The calls that connect numbers so far, oldest first.
    pub fn onboarding_journal(&self) -> Vec<OnboardingCall> {
        self.state.onboarding.journal()
    }

    /// The calls so far, oldest first. Empty unless the mode is [`Full`](crate::JournalMode::Full).
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.state.journal.entries(&JournalFilter::default())
    }

    /// The calls that match, oldest first.
    pub fn journal_matching(&self, filter: &JournalFilter) -> Vec<JournalEntry> {
        self.state.journal.entries(filter)
    }

    /// How many calls carried this `biz_opaque_callback_data`, whatever became of them. A call reset
    /// before its body was read carries nothing.
    pub fn calls_for(&self, biz_opaque: &str) -> usize {
        usize::try_from(self.state.journal.tally(biz_opaque).calls).unwrap_or(usize::MAX)
    }

    /// How many messages with this `biz_opaque_callback_data` were accepted.
    pub fn accepted_for(&self, biz_opaque: &str) -> usize {
        usize::try_from(self.state.journal.tally(biz_opaque).accepted).unwrap_or(usize::MAX)
    }

    /// Calls by `biz_opaque_callback_data`.
    pub fn call_counts(&self) -> BTreeMap<String, u64> {
        let tallies = self.state.journal.tallies().into_iter();
        tallies.map(|(key, tally)| (key, tally.calls)).collect()
    }

    /// Accepted messages by `biz_opaque_callback_data`.
    pub fn accepted_counts(&self) -> BTreeMap<String, u64> {
        let tallies = self.state.journal.tallies().into_iter();
        tallies.map(|(key, tally)| (key, tally.accepted)).collect()
    }

    /// Forgets the calls and their counts.
    pub fn clear_journal(&self) {
        self.state.journal.clear();
    }

    /// Counters since the start.
    pub fn stats(&self) -> StatsSnapshot {
        self.state.snapshot()
    }

    /// Adds a rule behind the others.
    ///
    /// # Panics
    /// The rule can never do what it says: a probability outside `0.0..=1.0`, every 0th call, or a
    /// reset before the body is read that matches on the body.
    pub fn add_rule(&self, rule: FaultRule) -> RuleId {
        if let Some(flaw) = rule.flaw() {
            panic!("invalid fault rule: {flaw}");
        }
        self.state.rules.add(rule)
    }

    /// Removes one rule; false if there is none of this id.
    pub fn remove_rule(&self, id: RuleId) -> bool {
        self.state.rules.remove(id)
    }

    /// Removes all rules.
    pub fn clear_rules(&self) {
        self.state.rules.clear();
    }

    /// The rules and what they have hit.
    pub fn rules(&self) -> Vec<RuleView> {
        self.state.rules.list()
    }

    /// Replaces the plan of statuses for messages accepted from now on.
    ///
    /// # Panics
    /// The plan is out of its ranges.
    pub fn set_statuses(&self, plan: StatusPlan) {
        if let Some(flaw) = plan.flaw() {
            panic!("invalid plan of statuses: {flaw}");
        }
        self.state.webhooks.set_plan(plan);
    }

    /// Plans the webhook of an inbound message and gives the message's id. It is posted as soon as
    /// possible and repeated until answered with 200; [`idle`](Self::idle) waits for that.
    ///
    /// # Errors
    /// No webhook URL is set, or the message is not one that Meta could send.
    pub fn send_inbound(&self, inbound: InboundMessage) -> Result<String, WebhookError> {
        let number = self.state.numbers.get(&inbound.phone_number_id);
        self.state.limiter.came_in(&inbound.phone_number_id);
        self.state.webhooks.receive(inbound, number, &self.state.wamids)
    }

    /// Plans the webhook of a single status, for one that no accepted message would have.
    ///
    /// # Errors
    /// No webhook URL is set.
    pub fn send_status(&self, status: StatusEvent) -> Result<(), WebhookError> {
        let number = self.state.numbers.get(&status.phone_number_id);
        self.state.webhooks.report(status, number)
    }

    /// Plans one update of this kind for this number, and gives how many bodies it takes.
    ///
    /// # Errors
    /// No webhook URL is set.
    pub fn send_kind(&self, kind: Kind, phone_number_id: &str, seed: u64) -> Result<usize, WebhookError> {
        self.state.send_kind(kind, phone_number_id, seed)
    }

    /// Plans a random mixture of updates, and gives how many bodies it takes, with those that come again.
    ///
    /// # Errors
    /// No webhook URL is set; or the mixture is out of its ranges, has no numbers, or is larger than 256 MB.
    pub fn send_mixture(&self, mixture: &Mixture) -> Result<usize, WebhookError> {
        self.state.send_mixture(mixture)
    }

    /// Posts these bytes as they are, signed, once, and gives the HTTP status of the answer.
    ///
    /// # Errors
    /// No webhook URL is set, or no answer came.
    pub async fn post_webhook_raw(&self, body: Vec<u8>) -> Result<u16, WebhookError> {
        self.state.webhooks.post_raw(body).await
    }

    /// Statuses and inbound messages planned and not yet answered with 200.
    pub fn pending_webhooks(&self) -> usize {
        self.state.webhooks.pending()
    }

    /// Returns once no webhook is pending.
    pub async fn idle(&self) {
        self.state.webhooks.idle().await;
    }

    /// Drops all connections and pending webhooks, and returns when everything has ended.
    pub async fn stop(self) {
        self.state.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for GraphSim {
    fn drop(&mut self) {
        self.state.shutdown.cancel();
    }
}
