//! Between a process and everything it calls: how long a call takes, whether it has its effect, and what comes back.
//!
//! Each call is a task of the world and not of its caller. So a caller that dies or freezes leaves calls under way, and
//! those may have their effect much later, or never.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::executor::{Executor, Life, WORLD};
use super::random::Random;
use super::trace::Trace;

/// What can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    Accept,
    Receive,
    /// The second half of [`Call::Receive`], where that is not one transaction. Only scripts see it.
    MoveConversation,
    Load,
    /// The first of three writes of a save that tells something: its entry, which has no place yet. Then comes
    /// [`Call::Save`].
    Announce,
    Save,
    /// The third write: the entry is true, or tells of nothing.
    Settle,
    /// A look at what was left announced, and the change that makes a late save come too late.
    Judge,
    Claim,
    Touch,
    KnowByGatewayId,
    FindByWamid,
    FindByKey,
    Due,
    WakeHeld,
    StatusesArrived,
    KeepListener,
    Listeners,
    Redrive,
    FindOptOuts,
    NoteOptOuts,
    Signup,
    Departure,
    Advance,
    Query,
    FindTenants,
    SaveTenant,
    Owners,
    RecordEvents,
    RecordStatuses,
    Arrivals,
    Append,
    Attend,
    OpenToken,
    Enqueue,
    Take,
    Pace,
    Spool,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has its effect, and the caller is told.
    Works,
    /// It fails without an effect.
    FailsBefore,
    /// It has its effect, and the caller is told that it failed.
    FailsAfter,
    /// Of a batch some items have their effect, and for some of those the caller is told that they failed.
    FailsPartly,
    /// Nothing comes back for minutes, and then a failure.
    HangsBefore,
    /// As [`Fate::HangsBefore`], but with its effect.
    HangsAfter,
    /// The caller dies before the call has its effect.
    CrashesBefore,
    /// The caller dies when the call has had its effect.
    CrashesAfter,
    /// The caller does nothing for minutes from when the call has had its effect, and then goes on.
    FreezesAfter,
}

/// How often calls go wrong, each in a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub fails_before: u32,
    pub fails_after: u32,
    pub fails_partly: u32,
    pub hangs: u32,
    pub crashes: u32,
    pub freezes: u32,
    pub slow: u32,
    /// Calls that take no time at all are the rest.
    pub takes_time: u32,
}

/// What goes wrong by chance, in calls with numbers from `from` up to, but not including, `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    pub store: Rates,
    pub queue: Rates,
    pub from: u32,
    pub until: u32,
}

/// The longest that a call takes that is neither slow nor hanging.
const TIME_MAX: Duration = Duration::from_millis(40);
/// The longest that a slow call takes.
pub const SLOW_MAX: Duration = Duration::from_secs(8);
/// The longest that a call hangs.
pub const HANG_MAX: Duration = Duration::from_secs(120);

/// The way from the processes to what they call.
#[derive(Clone)]
pub struct Wire {
    pub executor: Executor,
    pub trace: Trace,
    state: Arc<Mutex<State>>,
}

struct State {
    random: Random,
    weather: Weather,
    /// Faults by chance so far.
    faults: u32,
    scripted: VecDeque<(Call, Fate)>,
    calls: Vec<Call>,
}

struct Journey {
    fate: Fate,
    there: Duration,
    back: Duration,
    /// Whether it arrives although its caller died meanwhile.
    survives: bool,
    luck: Random,
}

/// Says of each item of a batch whether it has its effect, and whether the caller is told so.
pub struct Luck {
    fate: Fate,
    random: Random,
}

impl Luck {
    /// Draws for the next item: its effect, and the news of it.
    pub fn draw(&mut self) -> (bool, bool) {
        match self.fate {
            Fate::FailsPartly => *self.random.pick(&[(true, true), (true, false), (false, false)]),
            Fate::Works | Fate::CrashesAfter | Fate::FreezesAfter => (true, true),
            Fate::FailsAfter | Fate::HangsAfter => (true, false),
            Fate::FailsBefore | Fate::HangsBefore | Fate::CrashesBefore => (false, false),
        }
    }
}

impl Wire {
    /// A wire in fine weather.
    pub fn new(executor: Executor, trace: Trace, random: Random) -> Self {
        let state = State {
            random,
            weather: Weather::default(),
            faults: 0,
            scripted: VecDeque::new(),
            calls: Vec::new(),
        };
        Self {
            executor,
            trace,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// From now on things go wrong by chance, as often as this says.
    pub fn weather(&self, weather: Weather) {
        self.state.lock().weather = weather;
    }

    /// The next call of this kind has this fate. Several of one kind follow each other.
    pub fn script(&self, call: Call, fate: Fate) {
        self.state.lock().scripted.push_back((call, fate));
    }

    /// Faults that came by chance so far.
    pub fn faults(&self) -> u32 {
        self.state.lock().faults
    }

    /// All calls so far, in the order in which they were begun.
    pub fn calls(&self) -> Vec<Call> {
        self.state.lock().calls.clone()
    }

    /// Whether `from` dies, as the script says, before a half of a call that is under way. Costs no time and no chance.
    pub fn dies_before(&self, from: Life, call: Call) -> bool {
        let death = (call, Fate::CrashesBefore);
        let mut state = self.state.lock();
        let Some(place) = state.scripted.iter().position(|scripted| *scripted == death) else {
            return false;
        };
        state.scripted.remove(place);
        drop(state);
        self.trace.note(|| format!("{from:?} dies before {call:?}"));
        self.executor.end_life(from);
        true
    }

    /// Makes a call for `from`. `effect` is what it does; of a batch it does what `Luck` says, item by item.
    pub async fn call<T: Send + 'static>(
        &self,
        from: Life,
        call: Call,
        effect: impl FnOnce(&mut Luck) -> T + Send + 'static,
    ) -> T {
        let journey = self.plan(call);
        let (executor, trace) = (self.executor.clone(), self.trace.clone());
        let travelling = Box::pin(async move {
            let Journey {
                fate,
                there,
                back,
                survives,
                luck,
            } = journey;
            pause(&executor, there).await;
            if !executor.is_alive(from) && !survives {
                return None;
            }
            if fate == Fate::CrashesBefore {
                trace.note(|| format!("{from:?} dies before {call:?}"));
                executor.end_life(from);
                return None;
            }
            let mut luck = Luck { fate, random: luck };
            trace.note(|| format!("{from:?} {call:?} {fate:?}"));
            let answer = effect(&mut luck);
            if fate == Fate::CrashesAfter {
                trace.note(|| format!("{from:?} dies after {call:?}"));
                executor.end_life(from);
            }
            if fate == Fate::FreezesAfter {
                trace.note(|| format!("{from:?} freezes after {call:?}"));
                executor.freeze(from, luck.random.freeze());
            }
            pause(&executor, back).await;
            Some(answer)
        });
        match self.executor.ask(WORLD, travelling).await {
            Ok(Some(answer)) => answer,
            // The caller is dead, and is not polled any more.
            _ => std::future::pending().await,
        }
    }

    fn plan(&self, call: Call) -> Journey {
        let mut state = self.state.lock();
        state.calls.push(call);
        let mut random = state.random.fork();
        let scripted = state.scripted.iter().position(|(of, _)| *of == call);
        let scripted = scripted.and_then(|place| state.scripted.remove(place));
        let Weather {
            store,
            queue,
            from,
            until,
        } = state.weather;
        let rates = match call {
            Call::Enqueue | Call::Take | Call::Pace => queue,
            _ => store,
        };
        let mut fate = draw(&mut random, rates);
        let mut is_slow = random.chance(rates.slow);
        if fate != Fate::Works || is_slow {
            let number = state.faults;
            state.faults += 1;
            if number < from || until <= number {
                (fate, is_slow) = (Fate::Works, false);
            }
        }
        if let Some((_, scripted)) = scripted {
            fate = scripted;
        }
        let time = |random: &mut Random| {
            if is_slow {
                random.wait(SLOW_MAX)
            } else if random.chance(rates.takes_time) {
                random.wait(TIME_MAX)
            } else {
                Duration::ZERO
            }
        };
        let there = time(&mut random);
        let back = match fate {
            Fate::HangsBefore | Fate::HangsAfter => random.wait(HANG_MAX),
            _ => time(&mut random),
        };
        Journey {
            fate,
            there,
            back,
            survives: random.chance(500),
            luck: random,
        }
    }
}

fn draw(random: &mut Random, rates: Rates) -> Fate {
    if random.chance(rates.fails_before) {
        Fate::FailsBefore
    } else if random.chance(rates.fails_after) {
        Fate::FailsAfter
    } else if random.chance(rates.fails_partly) {
        Fate::FailsPartly
    } else if random.chance(rates.hangs) {
        *random.pick(&[Fate::HangsBefore, Fate::HangsAfter])
    } else if random.chance(rates.crashes) {
        *random.pick(&[Fate::CrashesBefore, Fate::CrashesAfter])
    } else if random.chance(rates.freezes) {
        Fate::FreezesAfter
    } else {
        Fate::Works
    }
}

async fn pause(executor: &Executor, duration: Duration) {
    if !duration.is_zero() {
        executor.sleep(duration).await;
    }
}
