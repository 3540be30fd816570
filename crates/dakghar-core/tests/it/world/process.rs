//! One life of a process: an app, and the loops that drive it. The only place that calls the app.
//!
//! The loops are those of the server's worker, with the executor's time in place of the runtime's.

mod accepting;
mod background;
mod by;
mod departing;
mod measured;
mod numbers;
pub mod onboarding;
mod posting;
mod reading;
mod wanting;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::{
    AcceptedMessage, App, Attending, ClaimedSend, Claims, EndedCall, Failure, NewPhoneNumber, NewTenant, NumberChecks,
    Prepared, PreparedSend, Retention, Settings, TokenWatch, UnconfirmedClaim, WaitingSend,
};
use dakghar_core::domain::audit::Principal;
use dakghar_core::domain::listening::Hearing;
use dakghar_core::domain::message::{RedriveOptions, UnknownOutcome};
use dakghar_core::domain::redrive::{NewRedrive, Redrive};
use dakghar_core::domain::{Actor, Problem, Secret, Tenant, TenantId, Timestamp, send_request};
use dakghar_core::ports::{Job, JobKey, QueueError};
use dakghar_core::vault::SigningKeys;
use futures_channel::{mpsc, oneshot};
use futures_util::future::{BoxFuture, Either, select};
use futures_util::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;

use by::{TENANT, principal};

use super::executor::Life;
use super::ports::{self, QueueKind, Shared};
use super::random::Random;
use super::seen::Seen;

const BATCH_MAX: usize = 128;
const LINE_MAX: usize = 256;
const LINE_STEP_MIN: usize = 32;
const LISTENING_LOOK: Duration = Duration::from_secs(1);
const LINE_LOOK: Duration = Duration::from_millis(50);
const FAILURE_WAIT: Duration = Duration::from_millis(500);
const RECORD_WAIT_MAX: Duration = Duration::from_secs(5);
const SPOOL_AFTER: Duration = Duration::from_millis(500);
const BUSY_WAIT: Duration = Duration::from_millis(20);
const AHEAD_WAIT: Duration = Duration::from_secs(10);

/// How a process is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    pub queue: QueueKind,
    pub settings: Settings,
    /// Whether its worker runs by itself, or a test takes every step.
    pub works_by_itself: bool,
    /// The reconciler's wait between two looks.
    pub reconciles_every: Duration,
}

/// A process; cheap to clone.
#[derive(Clone)]
pub struct Process {
    app: App,
    life: Life,
    setup: Arc<Setup>,
    shared: Shared,
}

impl Process {
    /// Begins a life.
    pub fn start(shared: &Shared, setup: Setup) -> Self {
        Self::start_as(shared, setup, shared.wire.executor.begin_life())
    }

    /// Begins a life whose clock is wrong from the start, by so many milliseconds.
    pub fn start_with_clock(shared: &Shared, setup: Setup, wrong_by_ms: i64) -> Self {
        let life = shared.wire.executor.begin_life();
        shared.walls.set(life, wrong_by_ms);
        Self::start_as(shared, setup, life)
    }

    fn start_as(shared: &Shared, mut setup: Setup, life: Life) -> Self {
        let executor = &shared.wire.executor;
        setup.settings.worker_id = owner(life);
        let keys = SigningKeys {
            opaque: [7; 32],
            opaque_previous: None,
            cursor: [8; 32],
        };
        let ports = ports::ports(shared, life, setup.queue);
        let (app, running) = App::new(ports, setup.settings.clone(), &keys);
        for task in running {
            executor.spawn(life, task);
        }
        let process = Self {
            app,
            life,
            setup: Arc::new(setup),
            shared: shared.clone(),
        };
        shared.gateways.0.lock().push(process.clone());
        executor.spawn(life, process.clone().listen());
        if process.setup.works_by_itself {
            executor.spawn(life, process.clone().run());
        }
        process
    }

    /// Its present life.
    pub fn life(&self) -> Life {
        self.life
    }

    /// How it was set up.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Whether it lives.
    pub fn is_alive(&self) -> bool {
        self.shared.wire.executor.is_alive(self.life)
    }

    async fn sleep(&self, duration: Duration) {
        self.shared.wire.executor.sleep(duration).await;
    }

    async fn run(self) {
        if self.setup.settings.is_sole_sender {
            while self.app.reconciling.take_over_orphans().await.is_err() {
                self.sleep(FAILURE_WAIT).await;
            }
        }
        let executor = self.shared.wire.executor.clone();
        executor.spawn(self.life, Sender::new(self.clone()).run());
        executor.spawn(self.life, self.clone().run_reconciler());
        executor.spawn(self.life, self.clone().run_bring_back());
        executor.spawn(self.life, self.clone().run_sequencing());
        executor.spawn(self.life, self.clone().run_replay());
        executor.spawn(self.life, self.clone().run_withdrawals());
        executor.spawn(self.life, self.run_refill());
    }

    /// Keeps when it received webhooks, as the server does.
    async fn listen(self) {
        while self.app.listening.open().await.is_err() {
            self.sleep(LISTENING_LOOK).await;
        }
        loop {
            self.sleep(LISTENING_LOOK).await;
            let _ = self.app.listening.tick().await;
        }
    }

    async fn run_reconciler(self) {
        loop {
            // An error is another reason to look again.
            let _ = self.app.reconciling.reconcile().await;
            self.sleep(self.setup.reconciles_every).await;
        }
    }

    async fn run_bring_back(self) {
        loop {
            let wait = match self.app.reconciling.bring_back().await {
                Ok(0) if self.app.reconciling.has_others() => AHEAD_WAIT,
                Ok(0) => return,
                Ok(_) => BUSY_WAIT,
                Err(_) => FAILURE_WAIT,
            };
            self.sleep(wait).await;
        }
    }

    async fn run_refill(self) {
        loop {
            self.app.reconciling.queue_lost().await;
            while self.app.reconciling.refill_queue().await.is_err() {
                self.sleep(FAILURE_WAIT).await;
            }
            self.sleep(BUSY_WAIT).await;
        }
    }

    // What clients, tenants and operators ask for.

    pub async fn register(&self, number: &str, token: &str, policy: UnknownOutcome) -> Result<Tenant, Problem> {
        self.register_in(None, number, token, policy).await
    }

    /// As [`Process::register`], with a number of this account at Meta.
    pub async fn register_in(
        &self,
        account: Option<&str>,
        number: &str,
        token: &str,
        policy: UnknownOutcome,
    ) -> Result<Tenant, Problem> {
        let new = NewTenant {
            name: "Dhaka Books".into(),
            callback_url: None,
            unknown_outcome: Some(policy),
            number: Some(NewPhoneNumber {
                phone_number_id: number.into(),
                access_token: Some(Secret::new(token)),
                waba_id: account.map(str::to_owned),
                ..NewPhoneNumber::default()
            }),
        };
        Ok(self.app.endpoints.register_tenant(new, Principal::CLI).await?.tenant)
    }

    pub async fn accept(&self, tenant: &TenantId, body: &str, key: Option<&str>) -> Result<AcceptedMessage, Problem> {
        let tenant = self.app.tenants.find(tenant).await?;
        let keys: Vec<&[u8]> = key.iter().map(|key| key.as_bytes()).collect();
        let request = send_request::parse(body.as_bytes(), &keys, self.app.wall(), &|from| tenant.home_of(from))?;
        Ok(self.app.accepting.accept(&tenant, request).await?)
    }

    /// Tells the others how many calls it has under way, as the server does each second.
    pub async fn tell_calls(&self) -> Result<(), Failure> {
        self.app.sending.tell_calls().await
    }

    pub async fn message(&self, tenant: &TenantId, id: &str) -> Result<Seen, Problem> {
        Ok(Seen(self.app.reading.message(tenant, id).await?.0.message))
    }

    pub async fn cancel(&self, tenant: &TenantId, id: &str) -> Result<Seen, Problem> {
        Ok(Seen(self.app.changing.cancel(tenant, id, TENANT).await?))
    }

    pub async fn redrive(&self, tenant: &TenantId, id: &str, options: RedriveOptions) -> Result<Seen, Problem> {
        Ok(Seen(
            self.app
                .changing
                .redrive(tenant, id, options, None, Principal::CLI)
                .await?,
        ))
    }

    /// The same by the tenant itself.
    pub async fn redrive_by_tenant(&self, tenant: &TenantId, id: &str) -> Result<Seen, Problem> {
        let options = RedriveOptions {
            ignore_expiry: true,
            ..RedriveOptions::default()
        };
        let found = self.app.tenants.find(tenant).await?;
        let redriven = self.app.changing.redrive(tenant, id, options, Some(&found), TENANT);
        Ok(Seen(redriven.await?))
    }

    /// Begins to send the tenant's dead letters again.
    pub async fn begin_redrive(&self, tenant: &TenantId, asked: &NewRedrive) -> Result<Redrive, Problem> {
        Ok(self.app.redriving.begin(Some(*tenant), asked, Principal::CLI).await?)
    }

    pub async fn find_redrive(&self, redrive: &Redrive) -> Result<Redrive, Problem> {
        let id = redrive.id.to_string();
        Ok(self.app.redriving.find(redrive.tenant_id.as_ref(), &id).await?)
    }

    pub fn token_watch(&self) -> Arc<TokenWatch> {
        self.app.token_watch.clone()
    }

    pub fn number_checks(&self) -> Arc<NumberChecks> {
        self.app.number_checks.clone()
    }

    pub fn retention(&self) -> Arc<Retention> {
        self.app.retention.clone()
    }

    pub async fn work_on_redrives(&self) -> Result<Duration, Failure> {
        self.app.redriving.work().await
    }

    /// Works on redrives by itself from now on.
    pub fn works_on_redrives(&self) {
        let process = self.clone();
        let work = async move {
            loop {
                let wait = process.work_on_redrives().await.unwrap_or(LISTENING_LOOK);
                process.sleep(wait).await;
            }
        };
        self.shared.wire.executor.spawn(self.life, work);
    }

    pub async fn pause(&self, tenant: &TenantId, number: Option<&str>, by: Actor) -> Result<(), Problem> {
        self.app.tenants.pause(tenant, number, principal(by)).await?;
        Ok(())
    }

    pub async fn resume(&self, tenant: &TenantId, number: Option<&str>, by: Actor) -> Result<(), Problem> {
        self.app.tenants.resume(tenant, number, principal(by)).await?;
        Ok(())
    }

    pub async fn replace_token(&self, tenant: &TenantId, number: Option<&str>, token: &str) -> Result<(), Problem> {
        let (tenants, token) = (&self.app.tenants, Secret::new(token));
        let replaced = tenants.replace_token(tenant, number, &token, Principal::CLI);
        Ok(replaced.await.map(drop)?)
    }

    // The steps of the worker, for tests that take them one by one.

    pub async fn take(&self) -> Result<Vec<Job>, QueueError> {
        self.app.sending.take_jobs(BATCH_MAX).await
    }

    pub async fn prepare(&self, jobs: Vec<Job>) -> Result<Prepared, Failure> {
        self.app.sending.prepare(Vec::new(), jobs).await
    }

    pub async fn prepare_again(&self, waited: Vec<WaitingSend>) -> Result<Prepared, Failure> {
        self.app.sending.prepare(waited, Vec::new()).await
    }

    pub async fn claim(&self, sends: Vec<PreparedSend>) -> Vec<ClaimedSend> {
        self.app.sending.claim(sends).await.claimed
    }

    pub async fn call(&self, claimed: ClaimedSend) -> EndedCall {
        self.app.sending.call(claimed).await
    }

    pub async fn record(&self, ended: &mut EndedCall) -> Result<(), Failure> {
        self.app.sending.record(ended).await
    }

    /// Keeps the end of a call on the machine's disk. Says whether it is kept.
    pub async fn spool(&self, ended: &EndedCall) -> bool {
        match self.app.sending.to_spool(ended) {
            Some(outcome) => self.app.sending.spool(outcome).await,
            None => false,
        }
    }

    /// Stores what dead processes have kept.
    pub async fn replay(&self) -> Result<usize, Failure> {
        self.app.sending.replay_spooled().await
    }

    /// Since when it cannot reach Meta.
    pub fn meta_unreachable(&self) -> Option<Timestamp> {
        self.app.health.meta_unreachable().map(|open| open.since)
    }

    pub async fn strike(&self, key: JobKey) -> Result<(), Failure> {
        self.app.sending.strike(key).await
    }
}

impl Process {
    // The steps of the timers, for tests that take them one by one.

    pub async fn reconcile(&self) -> Result<usize, Failure> {
        self.app.reconciling.reconcile().await
    }

    pub async fn refill(&self) -> Result<usize, Failure> {
        self.app.reconciling.refill_queue().await
    }

    /// A webhook has come.
    pub fn attend(&self) -> Attending {
        self.app.listening.attend()
    }

    /// What all processes have heard of Meta.
    pub async fn hearing(&self) -> Hearing {
        self.app.listening.hearing().await.expect("no outage")
    }

    /// Ends listening for webhooks, as at the end of a process.
    pub async fn stop_listening(&self) {
        self.app.listening.close().await.expect("no outage");
    }

    /// Dies. Nothing of it goes on, and nothing is written any more.
    pub fn dies(&self) {
        self.shared.wire.executor.end_life(self.life);
    }

    pub async fn take_over_orphans(&self) -> Result<(), Failure> {
        self.app.reconciling.take_over_orphans().await
    }
}

/// The name under which a life takes leases.
pub fn owner(life: Life) -> Arc<str> {
    format!("worker-{}", life.0).into()
}

/// The processes that answer requests.
#[derive(Default)]
pub struct Gateways(pub Mutex<Vec<Process>>);

impl Gateways {
    /// One of those that live; it may be frozen.
    pub fn any(&self, random: &mut Random) -> Option<Process> {
        let mut processes = self.0.lock();
        processes.retain(Process::is_alive);
        (!processes.is_empty()).then(|| random.pick(&processes).clone())
    }
}

/// The loop that takes jobs, prepares, claims and calls.
struct Sender {
    process: Process,
    line: Vec<WaitingSend>,
    claiming: Option<oneshot::Receiver<()>>,
    ended: mpsc::UnboundedSender<()>,
    call_ended: mpsc::UnboundedReceiver<()>,
}

enum Next {
    Taken(Result<Vec<Job>, QueueError>),
    Look,
}

impl Sender {
    fn new(process: Process) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test's own loop")]
        let (ended, call_ended) = mpsc::unbounded();
        Self {
            process,
            line: Vec::new(),
            claiming: None,
            ended,
            call_ended,
        }
    }

    async fn run(mut self) {
        let sending = self.process.app.sending.clone();
        let mut taking: Option<BoxFuture<'static, Result<Vec<Job>, QueueError>>> = None;
        loop {
            let free = sending.places_free();
            if taking.is_none() && free > 0 && self.line.len() < LINE_MAX {
                let (sending, batch) = (sending.clone(), free.min(BATCH_MAX));
                taking = Some(async move { sending.take_jobs(batch).await }.boxed());
            }
            let next = {
                let taken = async {
                    match &mut taking {
                        Some(taking) => taking.await,
                        None => std::future::pending().await,
                    }
                };
                let line_is_empty = self.line.is_empty();
                let look = async {
                    if line_is_empty {
                        std::future::pending::<()>().await;
                    }
                    self.process.sleep(LINE_LOOK).await;
                };
                futures_util::pin_mut!(taken, look);
                let (mut taken, mut look) = (taken.fuse(), look.fuse());
                futures_util::select_biased! {
                    taken = taken => Next::Taken(taken),
                    _ = self.call_ended.next() => Next::Look,
                    () = look => Next::Look,
                }
            };
            match next {
                Next::Taken(taken) => {
                    taking = None;
                    match taken {
                        Ok(jobs) => self.send_batch(jobs).await,
                        Err(_) => self.process.sleep(FAILURE_WAIT).await,
                    }
                }
                Next::Look => self.send_batch(Vec::new()).await,
            }
        }
    }

    async fn send_batch(&mut self, jobs: Vec<Job>) {
        let sending = self.process.app.sending.clone();
        let step = self.line.len().min(sending.places_free().max(LINE_STEP_MIN));
        let waited: Vec<WaitingSend> = self.line.drain(..step).collect();
        if jobs.is_empty() && waited.is_empty() {
            return;
        }
        let waited_keys = waited.iter().map(WaitingSend::key);
        let keys: Vec<_> = waited_keys.chain(jobs.iter().map(|job| (job.key, job.drive))).collect();
        match AssertUnwindSafe(sending.prepare(waited, jobs)).catch_unwind().await {
            Ok(Ok(Prepared { sends, waiting })) => {
                self.line.extend(waiting);
                self.claim(sends).await;
            }
            Ok(Err(_)) => self.process.sleep(FAILURE_WAIT).await,
            Err(_) => send_each_alone(&self.process, keys, &self.ended).await,
        }
    }

    async fn claim(&mut self, sends: Vec<PreparedSend>) {
        if let Some(before) = self.claiming.take() {
            // It ended, or it panicked.
            let _ = before.await;
        }
        if !sends.is_empty() {
            let (process, ended) = (self.process.clone(), self.ended.clone());
            let claiming = claim_and_call(process, sends, ended);
            self.claiming = Some(self.process.shared.wire.executor.ask(self.process.life, claiming));
        }
    }
}

async fn claim_and_call(process: Process, sends: Vec<PreparedSend>, ended: mpsc::UnboundedSender<()>) {
    let keys: Vec<_> = sends.iter().map(PreparedSend::key).collect();
    match AssertUnwindSafe(process.app.sending.claim(sends)).catch_unwind().await {
        Ok(claims) => {
            let _ = ended.unbounded_send(());
            call_all(&process, claims, &ended);
        }
        Err(_) => send_each_alone(&process, keys, &ended).await,
    }
}

async fn send_each_alone(process: &Process, keys: Vec<(JobKey, u32)>, ended: &mpsc::UnboundedSender<()>) {
    for (key, drive) in keys {
        let (job, _finished) = Job::new(key, drive);
        let alone = async {
            let prepared = process.prepare(vec![job]).await?;
            Ok::<_, Failure>(process.app.sending.claim(prepared.sends).await)
        };
        match AssertUnwindSafe(alone).catch_unwind().await {
            Ok(Ok(claims)) => call_all(process, claims, ended),
            // Its timer brings it back.
            Ok(Err(_)) => {}
            Err(_) => _ = process.strike(key).await,
        }
    }
}

fn call_all(process: &Process, claims: Claims, ended: &mpsc::UnboundedSender<()>) {
    for unconfirmed in claims.unconfirmed {
        let giving_back = give_back(process.clone(), unconfirmed, ended.clone());
        process.shared.wire.executor.spawn(process.life, giving_back);
    }
    for claimed in claims.claimed {
        let call = send(process.clone(), claimed, ended.clone());
        process.shared.wire.executor.spawn(process.life, call);
    }
}

async fn send(process: Process, claimed: ClaimedSend, ended: mpsc::UnboundedSender<()>) {
    let mut call = process.call(claimed).await;
    let sending = process.app.sending.clone();
    match sending.to_spool(&call) {
        None => record(&process, &mut call).await,
        Some(outcome) => {
            let (recorded, is_recorded) = oneshot::channel::<()>();
            let recording = async {
                record(&process, &mut call).await;
                drop(recorded);
            };
            let spooling = async {
                let first = select(is_recorded, Box::pin(process.sleep(SPOOL_AFTER))).await;
                matches!(first, Either::Right(_)) && sending.spool(outcome).await
            };
            let ((), is_kept) = futures_util::join!(recording, spooling);
            if is_kept {
                sending.settle().await;
            }
        }
    }
    drop(call);
    let _ = ended.unbounded_send(());
}

async fn give_back(process: Process, mut unconfirmed: UnconfirmedClaim, ended: mpsc::UnboundedSender<()>) {
    let mut wait = Duration::from_millis(50);
    while let Err((again, _)) = process.app.sending.give_back(unconfirmed).await {
        unconfirmed = again;
        process.sleep(wait).await;
        wait = (wait * 2).min(RECORD_WAIT_MAX);
    }
    let _ = ended.unbounded_send(());
}

async fn record(process: &Process, call: &mut EndedCall) {
    let mut wait = Duration::from_millis(50);
    while process.record(call).await.is_err() {
        process.sleep(wait).await;
        wait = (wait * 2).min(RECORD_WAIT_MAX);
    }
}
