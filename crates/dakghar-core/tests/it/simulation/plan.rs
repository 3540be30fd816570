//! What happens in one run: who asks for what and when, and how often things go wrong. It follows from a seed, and can
//! be made smaller.

use std::time::Duration;

use dakghar_core::domain::message::{Priority, UnknownOutcome};

use crate::world::Kind;
use crate::world::meta::Temper;
use crate::world::random::Random;
use crate::world::wire::{Rates, Weather};

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Decides about the order of everything, and about what happens by chance.
    pub seed: u64,
    pub kind: Kind,
    pub processes: usize,
    pub commits_max: usize,
    pub calls_max: u32,
    pub attempts_max: u32,
    pub reconciles_every: Duration,
    pub hurry: u32,
    pub weather: Weather,
    pub temper: Temper,
    pub acts: Vec<Act>,
}

/// Something that somebody does at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub at: Duration,
    pub deed: Deed,
}

/// The name of a request to send, by which later acts speak of its message.
pub type Name = usize;
/// One of the tenants.
pub type TenantNo = usize;

/// Tenants of a run. Each has one number.
pub const TENANTS: usize = 2;

/// What somebody does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A client has a message sent.
    Send(Name, Send),
    Cancel(Name),
    Redrive(Name, bool),
    /// Another tenant reads, cancels and redrives the message, and Meta's reports about it come under another number.
    Meddle(Name),
    Pause(TenantNo, Pause),
    Resume(TenantNo),
    /// Meta refuses the token from now on; the tenant replaces it later.
    LoseToken(TenantNo, Duration),
    /// Meta restricts the account for a time.
    Restrict(TenantNo, Duration),
    /// A process dies, and is started again after this time.
    Crash(usize, Duration),
    /// A process does nothing for this time, and goes on.
    Freeze(usize, Duration),
    /// Somebody sets the clock of a process, by milliseconds, and sets it right after this time.
    SetClock(usize, i64, Duration),
    /// The queue's server loses everything.
    LoseQueue,
    /// A person writes; the same message may be written again.
    Write(TenantNo, u32),
    /// Meta has news of the account.
    News(TenantNo, u32),
}

/// What is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    Tenant,
    TenantByOperator,
    Number,
}

/// A request to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    pub tenant: TenantNo,
    pub key: Option<u8>,
    pub text: u8,
    pub after: Option<Duration>,
    pub expires: Option<Duration>,
    pub policy: UnknownOutcome,
    pub priority: Priority,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE_MS: i64 = 60_000;
/// Acts begin within this time.
const SPAN: Duration = Duration::from_secs(240);

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let random = &mut random;
        let kind = *random.pick(&[Kind::Embedded, Kind::Distributed, Kind::Distributed]);
        let processes = match kind {
            Kind::Embedded => 1,
            Kind::Distributed => 1 + random.below(3),
        };
        let mut plan = Self {
            seed: random.next(),
            kind,
            processes,
            commits_max: 1 + random.below(3),
            calls_max: *random.pick(&[1, 2, 8, 64]),
            attempts_max: *random.pick(&[1, 2, 5]),
            reconciles_every: SECOND * *random.pick(&[1, 2, 5]),
            hurry: *random.pick(&[0, 0, 5, 50]),
            weather: weather(random),
            temper: temper(random),
            acts: acts(random, processes),
        };
        match random.below(5) {
            0 => plan.be_about_zombies(),
            1 => plan.be_about_late_reports(),
            _ => {}
        }
        if random.chance(300) {
            plan.set_clocks(random);
        }
        plan
    }

    // Some runs are about one thing, so that what rarely meets meets more often.

    /// Workers that freeze during a call, and go on when somebody else calls for the same message.
    fn be_about_zombies(&mut self) {
        self.kind = Kind::Distributed;
        self.processes = self.processes.max(2);
        self.temper.freezes = 300;
        self.temper.reports = false;
        self.temper.refuses = 0;
        self.weather.store.fails_before = 50;
        self.resend_all();
    }

    /// Reports about calls that were followed by others.
    fn be_about_late_reports(&mut self) {
        self.temper.accepts_silently = 500;
        self.temper.reports = true;
        self.temper.reports_late = 800;
        self.resend_all();
    }

    /// Clocks that are set forward and back, for a moment or for long.
    fn set_clocks(&mut self, random: &mut Random) {
        for _ in 0..=random.below(3) {
            let by = *random.pick(&[MINUTE_MS, 60 * MINUTE_MS, 24 * 60 * MINUTE_MS]);
            let by = if random.chance(500) { by } else { -by };
            let lasts = *random.pick(&[SECOND, SECOND * 30, SECOND * 90, SECOND * 200]);
            self.acts.push(Act {
                at: random.wait(SPAN),
                deed: Deed::SetClock(random.below(self.processes), by, lasts),
            });
        }
        self.acts.sort_by_key(|act| act.at);
    }

    fn resend_all(&mut self) {
        self.attempts_max = self.attempts_max.max(2);
        for act in &mut self.acts {
            if let Deed::Send(_, send) = &mut act.deed {
                send.policy = UnknownOutcome::Resend;
            }
        }
    }
}

fn weather(random: &mut Random) -> Weather {
    let mut rates = || {
        if random.chance(300) {
            return Rates::default();
        }
        let mut rate = |most: &[u32]| *random.pick(most);
        Rates {
            fails_before: rate(&[0, 5, 20, 100]),
            fails_after: rate(&[0, 5, 20, 100]),
            fails_partly: rate(&[0, 5, 20, 100]),
            hangs: rate(&[0, 0, 2, 10]),
            crashes: rate(&[0, 2, 5, 20]),
            freezes: rate(&[0, 2, 5, 20]),
            slow: rate(&[0, 5, 50]),
            takes_time: rate(&[0, 500, 1000]),
        }
    };
    Weather {
        store: rates(),
        queue: rates(),
        from: 0,
        until: u32::MAX,
    }
}

fn temper(random: &mut Random) -> Temper {
    let mut rate = |most: &[u32]| *random.pick(most);
    Temper {
        accepts_silently: rate(&[0, 50, 300]),
        silent: rate(&[0, 50, 200]),
        unreachable: rate(&[0, 50, 200]),
        refuses: rate(&[0, 100, 400]),
        turned_away: rate(&[0, 50, 200]),
        slow: rate(&[0, 50, 300]),
        freezes: rate(&[0, 0, 50, 200]),
        reports: rate(&[0, 1, 1]) == 1,
        reports_late: rate(&[0, 100, 500]),
        reports_twice: rate(&[0, 200]),
    }
}

fn acts(random: &mut Random, processes: usize) -> Vec<Act> {
    let sends: Vec<Act> = (0..2 + random.below(10))
        .map(|name| Act {
            at: random.wait(SPAN),
            deed: Deed::Send(name, send(random)),
        })
        .collect();
    let mut acts = sends.clone();
    for _ in 0..random.below(14) {
        let deed = deed(random, sends.len(), processes);
        let at = match deed {
            Deed::Cancel(name) | Deed::Meddle(name) => sends[name].at + random.wait(SECOND * 60),
            // There is something to send again when a grace is over.
            Deed::Redrive(name, _) => sends[name].at + random.wait(SPAN + SECOND * 60),
            _ => random.wait(SPAN),
        };
        acts.push(Act { at, deed });
    }
    acts.sort_by_key(|act| act.at);
    acts
}

fn send(random: &mut Random) -> Send {
    let key = random.chance(600).then(|| random.below(4));
    let [policy, priority] = [random.below(3), random.below(3)];
    // Requests under one key are often the same.
    let of_key = |other: usize| key.map_or(other, |key| key % 3);
    let some = |random: &mut Random| Some(SECOND + random.wait(Duration::from_secs(150)));
    Send {
        tenant: random.below(TENANTS),
        key: key.map(|key| u8::try_from(key).expect("small")),
        text: u8::try_from(random.below(2)).expect("small"),
        after: if random.chance(250) { some(random) } else { None },
        expires: random.chance(250).then(|| SECOND + random.wait(SECOND * 400)),
        policy: UnknownOutcome::ALL[of_key(policy)],
        priority: Priority::ALL[of_key(priority)],
    }
}

fn deed(random: &mut Random, sends: usize, processes: usize) -> Deed {
    let tenant = random.below(TENANTS);
    let name = random.below(sends);
    let process = random.below(processes);
    match random.below(18) {
        0 | 1 => Deed::Cancel(name),
        2 | 3 | 16 | 17 => Deed::Redrive(name, random.chance(500)),
        4 => Deed::Meddle(name),
        5 => Deed::Pause(
            tenant,
            *random.pick(&[Pause::Tenant, Pause::TenantByOperator, Pause::Number]),
        ),
        6 => Deed::Resume(tenant),
        7 => Deed::LoseToken(tenant, random.wait(SPAN)),
        8 => Deed::Restrict(tenant, random.wait(SPAN)),
        9 | 10 => Deed::Crash(process, random.wait(Duration::from_secs(60))),
        11 | 12 => Deed::Freeze(process, random.freeze()),
        13 => Deed::LoseQueue,
        14 => Deed::Write(tenant, u32::try_from(random.below(3)).expect("small")),
        _ => Deed::News(tenant, u32::try_from(random.below(3)).expect("small")),
    }
}
