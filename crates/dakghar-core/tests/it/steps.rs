//! Steps of people, of a worker, of the reconciler and of Meta, taken one by one: the words in which `transitions` and
//! `crashes` tell their stories.

use dakghar_core::domain::page::PageLimit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use dakghar_core::app::{ClaimedSend, EndedCall, Prepared, WaitingSend, WebhookReceipt};
use dakghar_core::domain::message::{EvidenceStatus, RedriveOptions, TimelineEvent, UnknownOutcome};
use dakghar_core::domain::webhook::WebhookPart;
use dakghar_core::domain::{Actor, Conversation, ErrorCode, MessageKey, Problem, Tenant, TenantId, Timestamp};
use dakghar_core::ports::{ConversationStore as _, Job, JobKey};

use crate::world::meta::{Answer, Meta, Request};
use crate::world::ports::at_once;
use crate::world::process::{Process, Setup};
use crate::world::seen::Seen;
use crate::world::{Kind, World, body};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
/// How long a claim lasts.
pub const LEASE: Duration = Duration::from_secs(45);
/// How long after its end a lease is taken over.
pub const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// How long evidence is awaited after a call of which nothing came back.
pub const GRACE: Duration = Duration::from_secs(120);
/// The code of a refusal after which a later attempt may be taken.
pub const RETRIED: i64 = 133_004;
/// The code of a refusal for good.
pub const REFUSED: i64 = 131_026;

/// A dead letter is sent again, whatever its date.
pub fn ignoring_expiry(accepts_risk: bool) -> RedriveOptions {
    RedriveOptions {
        confirm_duplicate_risk: accepts_risk,
        ignore_expiry: true,
    }
}

/// A second less.
pub fn almost(duration: Duration) -> Duration {
    duration.saturating_sub(SECOND)
}

/// Tells the same story in a world of each kind.
pub fn in_each_kind(story: impl Fn(&World)) {
    for kind in [Kind::Embedded, Kind::Distributed] {
        in_world(kind, &story);
    }
}

/// Tells a story in a world of one kind, and shows what happened there if it ends badly.
pub fn in_world(kind: Kind, story: impl Fn(&World)) {
    let world = World::new(kind);
    let told = catch_unwind(AssertUnwindSafe(|| story(&world)));
    let trace = || world.wire.trace.lines().join("\n");
    assert!(told.is_ok(), "in a world of the kind {kind:?}:\n{}", trace());
    world.promises.assert_kept();
}

/// Every order of these.
pub fn orders<T: Clone>(parts: &[T]) -> Vec<Vec<T>> {
    let [first, rest @ ..] = parts else {
        return vec![Vec::new()];
    };
    let mut all = Vec::new();
    for order in orders(rest) {
        for place in 0..=order.len() {
            let mut order = order.clone();
            order.insert(place, first.clone());
            all.push(order);
        }
    }
    all
}

/// A request of a megabyte; `more` are further members, each after a comma.
pub fn large_body(more: &str) -> String {
    let parameter = format!(r#"{{"type":"text","text":"{}"}}"#, "x".repeat(32 * 1024));
    let parameters = vec![parameter; 32].join(",");
    format!(
        r#"{{"to":"+919111111111","type":"template","template":{{"name":"a","language":{{"code":"en"}},"components":
        [{{"type":"body","parameters":[{parameters}]}}]}}{more}}}"#
    )
}

/// The number of a tenant that has one.
pub fn number(tenant: &Tenant) -> dakghar_core::domain::PhoneNumberId {
    tenant.phone_numbers[0].phone_number_id.clone()
}

impl World {
    /// What a step comes to, when all that follows from it at the same time has happened too.
    pub fn step<T: Send + 'static>(&self, step: impl Future<Output = T> + Send + 'static) -> T {
        let outcome = self.block_on(step);
        self.wire.executor.settle();
        outcome
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.wire.executor.now()
    }

    /// A process that does nothing by itself, a tenant, and its queued message.
    pub fn queued(&self, policy: UnknownOutcome) -> (Process, Tenant, MessageKey) {
        let process = self.idle_process();
        let tenant = self.tenant(&process, policy);
        let message = self.accept(&process, &tenant.id, "hello");
        (process, tenant, message)
    }

    /// A process that does nothing by itself, with settings of its own.
    pub fn idle_process_with(&self, change: impl FnOnce(&mut Setup)) -> Process {
        let mut setup = self.setup();
        setup.works_by_itself = false;
        change(&mut setup);
        Process::start(self, setup)
    }

    /// A message with further members in its request.
    pub fn accept_with(&self, process: &Process, tenant: &TenantId, more: &str) -> MessageKey {
        let (process, tenant_id, body) = (process.clone(), *tenant, body("hello", more));
        let accepted = self.step(async move { process.accept(&tenant_id, &body, None).await });
        MessageKey {
            tenant_id,
            message_id: accepted.expect("accepted").message_id,
        }
    }

    /// A message of a megabyte, with further members in its request.
    pub fn accept_large(&self, process: &Process, tenant: &TenantId, more: &str) -> MessageKey {
        let (process, tenant_id, body) = (process.clone(), *tenant, large_body(more));
        let accepted = self.step(async move { process.accept(&tenant_id, &body, None).await });
        MessageKey {
            tenant_id,
            message_id: accepted.expect("accepted").message_id,
        }
    }

    /// A message whose time runs out after so long.
    pub fn accept_until(&self, process: &Process, tenant: &TenantId, after: Duration) -> MessageKey {
        let more = format!(r#","expiresAt":"{}""#, self.now() + after);
        self.accept_with(process, tenant, &more)
    }

    // A worker.

    /// The jobs that are due, or the first that will be.
    pub fn take(&self, process: &Process) -> Vec<Job> {
        let process = process.clone();
        self.step(async move { process.take().await }).expect("jobs")
    }

    pub fn prepare_jobs(&self, process: &Process, jobs: Vec<Job>) -> Prepared {
        let process = process.clone();
        self.step(async move { process.prepare(jobs).await }).expect("prepared")
    }

    pub fn prepare_again(&self, process: &Process, waited: Vec<WaitingSend>) -> Prepared {
        let process = process.clone();
        self.step(async move { process.prepare_again(waited).await })
            .expect("prepared")
    }

    /// Takes what is due, and prepares it.
    pub fn prepare(&self, process: &Process) -> Prepared {
        let jobs = self.take(process);
        self.prepare_jobs(process, jobs)
    }

    pub fn claim_prepared(&self, process: &Process, prepared: Prepared) -> Vec<ClaimedSend> {
        let process = process.clone();
        self.step(async move { process.claim(prepared.sends).await })
    }

    /// Takes, prepares and claims the only message that is due.
    pub fn claim(&self, process: &Process) -> ClaimedSend {
        let prepared = self.prepare(process);
        let mut claimed = self.claim_prepared(process, prepared);
        assert_eq!(claimed.len(), 1, "one message is claimed");
        claimed.remove(0)
    }

    pub fn call(&self, process: &Process, claimed: ClaimedSend) -> EndedCall {
        let process = process.clone();
        self.step(async move { process.call(claimed).await })
    }

    pub fn record(&self, process: &Process, mut ended: EndedCall) {
        let process = process.clone();
        self.step(async move { process.record(&mut ended).await })
            .expect("recorded");
    }

    /// All steps for the only message that is due.
    pub fn send(&self, process: &Process) {
        let claimed = self.claim(process);
        let ended = self.call(process, claimed);
        self.record(process, ended);
    }

    /// All steps for the only message that is due; Meta answers like this.
    pub fn send_and(&self, process: &Process, answer: Answer) {
        self.meta.script(answer);
        self.send(process);
    }

    /// Preparing the message crashed.
    pub fn strike(&self, process: &Process, message: MessageKey) {
        let process = process.clone();
        self.step(async move { process.strike(JobKey::Send(message)).await })
            .expect("counted");
    }

    // The reconciler.

    /// Fills the queue again from the store; says with how many messages.
    pub fn refill(&self, process: &Process) -> usize {
        let process = process.clone();
        self.step(async move { process.refill().await }).expect("refilled")
    }

    /// One round of the reconciler; says how many messages it looked at.
    pub fn reconcile(&self, process: &Process) -> usize {
        let process = process.clone();
        self.step(async move { process.reconcile().await }).expect("a round")
    }

    /// Lets time go on, and has the reconciler look.
    pub fn reconcile_after(&self, process: &Process, duration: Duration) -> usize {
        self.run_for(duration);
        self.reconcile(process)
    }

    /// The process ends in good order.
    pub fn end(&self, process: &Process) {
        let ending = process.clone();
        self.step(async move { ending.stop_listening().await });
        process.dies();
    }

    // People.

    pub fn cancel(&self, process: &Process, message: MessageKey) -> Result<Seen, Problem> {
        let (process, id) = (process.clone(), message.message_id.to_string());
        self.step(async move { process.cancel(&message.tenant_id, &id).await })
    }

    pub fn redrive(&self, process: &Process, message: MessageKey, accepts_risk: bool) -> Result<Seen, Problem> {
        if accepts_risk {
            self.promises.risk_accepted(message);
        }
        let (process, id) = (process.clone(), message.message_id.to_string());
        let options = ignoring_expiry(accepts_risk);
        self.step(async move { process.redrive(&message.tenant_id, &id, options).await })
    }

    /// Sends a dead letter again, with nothing taken upon oneself.
    pub fn redrive_plainly(&self, process: &Process, message: MessageKey) -> Result<Seen, Problem> {
        let (process, id) = (process.clone(), message.message_id.to_string());
        let options = RedriveOptions::default();
        self.step(async move { process.redrive(&message.tenant_id, &id, options).await })
    }

    /// The tenant's number may send one message a second.
    pub fn slow_down(&self, process: &Process, tenant: &Tenant) {
        let (process, id, number) = (process.clone(), tenant.id, number(tenant));
        let paced = self.step(async move { process.pace_number(&id, number.as_str(), 1).await });
        paced.expect("changed");
    }

    pub fn pause(&self, process: &Process, tenant: &Tenant) {
        let (process, id) = (process.clone(), tenant.id);
        self.step(async move { process.pause(&id, None, Actor::Tenant).await })
            .expect("paused");
    }

    pub fn resume(&self, process: &Process, tenant: &Tenant) -> Result<(), Problem> {
        let (process, id) = (process.clone(), tenant.id);
        self.step(async move { process.resume(&id, None, Actor::Operator).await })
    }

    pub fn replace_token(&self, process: &Process, tenant: &Tenant, token: &str) {
        let (process, id, token) = (process.clone(), tenant.id, token.to_owned());
        self.step(async move { process.replace_token(&id, None, &token).await })
            .expect("replaced");
    }

    /// The conversations of the tenant, the newest first.
    pub fn conversations(&self, tenant: &Tenant) -> Vec<Conversation> {
        at_once(self.store.list(&tenant.id, None, PageLimit::items(100)))
            .expect("no outage")
            .items
    }

    // Meta.

    /// The newest request that reached Meta.
    pub fn request(&self) -> Request {
        self.meta.requests().pop().expect("a request").0
    }

    /// The first request for this message.
    pub fn request_of(&self, message: MessageKey) -> Request {
        let mut requests = self.meta.requests().into_iter().map(|(request, _)| request);
        requests.find(|request| request.key == message).expect("a request")
    }

    /// How many requests reached Meta, or got lost on the way.
    pub fn requests(&self) -> usize {
        self.meta.requests().len()
    }

    /// Meta posts these parts once.
    pub fn receive(&self, process: &Process, parts: Vec<WebhookPart>) -> Result<WebhookReceipt, Problem> {
        let (process, body) = (process.clone(), self.meta.body(parts));
        self.step(async move { process.receive(&body).await })
    }

    /// Meta reports this on a request.
    pub fn report(&self, process: &Process, request: &Request, status: EvidenceStatus) -> WebhookReceipt {
        if status == EvidenceStatus::Failed {
            self.promises.reported_failed(request.key, request.attempt);
        }
        let report = Meta::report(request, status);
        self.receive(process, vec![WebhookPart::Status(report)])
            .expect("received")
    }

    // Crashes.

    /// Asks a process for something of which it dies, as the script says. Nobody gets an answer.
    pub fn dies_of<T, F>(&self, process: &Process, ask: impl FnOnce(Process) -> F)
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let mut answered = self.wire.executor.ask(process.life(), ask(process.clone()));
        self.wire.executor.settle();
        assert!(!process.is_alive(), "it dies");
        assert!(answered.try_recv().is_err(), "nobody is answered");
    }
}

/// The code of a refusal, or of nothing when it was granted.
pub fn code<T>(answer: &Result<T, Problem>) -> Option<ErrorCode> {
    answer.as_ref().err().map(|problem| problem.code)
}

/// Why it waits, by the newest entry of its timeline.
pub fn waits_for(seen: &Seen) -> Option<&str> {
    let newest = seen.timeline().last().expect("an entry");
    assert_eq!(newest.event, TimelineEvent::Waiting);
    assert_eq!(newest.until, seen.slot_at());
    newest.detail.as_deref()
}
