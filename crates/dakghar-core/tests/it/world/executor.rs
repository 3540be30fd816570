//! Runs every task of a world on one thread, in an order that a seed decides.
//!
//! At each step one of the runnable tasks is polled. Time stands still while anything can run, and then jumps to the
//! next timer; with [`Executor::hurry`] it may also move on while tasks wait for their turn, as on a busy machine.
//! Nothing here knows of real time, threads or real randomness, so one seed is one run.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use dakghar_core::domain::Timestamp;
use dakghar_core::ports::Clock as _;
use dakghar_testkit::TestClock;
use futures_channel::oneshot;
use parking_lot::Mutex;

use super::random::Random;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that live, freeze and die together: one life of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(pub u32);

/// The world itself: the network, Meta, the clients. It never dies.
pub const WORLD: Life = Life(0);

/// How far time may jump while tasks are runnable.
const HURRY_MAX: Duration = Duration::from_secs(2);

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A task was polled.
    Ran,
    /// Nothing could run, so time moved on.
    Waited,
    /// Nothing can run and nothing waits for a time.
    Idle,
}

/// The executor; cheap to clone.
#[derive(Clone)]
pub struct Executor {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<TestClock>,
    runnable: Arc<Mutex<Vec<usize>>>,
    state: Mutex<State>,
}

struct State {
    tasks: Vec<Option<Slot>>,
    timers: BTreeMap<(Timestamp, u64), Waker>,
    timers_set: u64,
    lives: u32,
    dead: BTreeSet<Life>,
    /// Frozen lives, each with its tasks that could run.
    frozen: BTreeMap<Life, Vec<usize>>,
    frozen_until: BTreeMap<Life, Timestamp>,
    random: Random,
    hurry: u32,
    steps: u64,
}

struct Slot {
    life: Life,
    /// `None` while it is being polled.
    task: Option<Task>,
    waker: Arc<TaskWaker>,
}

struct TaskWaker {
    index: usize,
    is_runnable: AtomicBool,
    runnable: Arc<Mutex<Vec<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_runnable.swap(true, Ordering::Relaxed) {
            self.runnable.lock().push(self.index);
        }
    }
}

impl Executor {
    /// An executor without tasks, whose choices follow from `random`.
    pub fn new(clock: Arc<TestClock>, random: Random) -> Self {
        let state = State {
            tasks: Vec::new(),
            timers: BTreeMap::new(),
            timers_set: 0,
            lives: 0,
            dead: BTreeSet::new(),
            frozen: BTreeMap::new(),
            frozen_until: BTreeMap::new(),
            random,
            hurry: 0,
            steps: 0,
        };
        let shared = Shared {
            clock,
            runnable: Arc::default(),
            state: Mutex::new(state),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// From now on, at so many of a thousand steps, time moves on although something could run.
    pub fn hurry(&self, per_mille: u32) {
        self.shared.state.lock().hurry = per_mille;
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.shared.state.lock().steps
    }

    /// Begins a life.
    pub fn begin_life(&self) -> Life {
        let mut state = self.shared.state.lock();
        state.lives += 1;
        Life(state.lives)
    }

    /// Ends a life at once: none of its tasks is ever polled again.
    pub fn end_life(&self, life: Life) {
        let tasks: Vec<Slot> = {
            let mut state = self.shared.state.lock();
            state.dead.insert(life);
            state.frozen.remove(&life);
            let of_life = |slot: &&mut Option<Slot>| slot.as_ref().is_some_and(|slot| slot.life == life);
            state
                .tasks
                .iter_mut()
                .filter(of_life)
                .filter_map(Option::take)
                .collect()
        };
        // Dropped without the lock: what is dropped may wake others.
        drop(tasks);
    }

    /// Ends every life and every task.
    pub fn end_everything(&self) {
        let tasks = {
            let mut state = self.shared.state.lock();
            let lives = 0..=state.lives;
            state.dead.extend(lives.map(Life));
            std::mem::take(&mut state.tasks)
        };
        drop(tasks);
    }

    /// Whether the life goes on.
    pub fn is_alive(&self, life: Life) -> bool {
        !self.shared.state.lock().dead.contains(&life)
    }

    /// From now on no task of the life is polled, for this time or until [`Executor::thaw`].
    pub fn freeze(&self, life: Life, time: Duration) {
        let until = self.now() + time;
        {
            let mut state = self.shared.state.lock();
            if state.dead.contains(&life) {
                return;
            }
            state.frozen.entry(life).or_default();
            state.frozen_until.insert(life, until);
        }
        let executor = self.clone();
        self.spawn(WORLD, async move {
            executor.sleep(time).await;
            // It may have been frozen again, for longer.
            if executor.frozen_until(life) == Some(until) {
                executor.thaw(life);
            }
        });
    }

    /// Until when the life was to be frozen, the last time that it was.
    pub fn frozen_until(&self, life: Life) -> Option<Timestamp> {
        self.shared.state.lock().frozen_until.get(&life).copied()
    }

    /// Ends a freeze.
    pub fn thaw(&self, life: Life) {
        let parked = self.shared.state.lock().frozen.remove(&life);
        self.shared.runnable.lock().extend(parked.unwrap_or_default());
    }

    /// Runs a future beside the others. Without effect in a life that is over.
    pub fn spawn(&self, life: Life, future: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.shared.state.lock();
        if state.dead.contains(&life) {
            return;
        }
        let index = state.tasks.len();
        let waker = Arc::new(TaskWaker {
            index,
            is_runnable: AtomicBool::new(true),
            runnable: self.shared.runnable.clone(),
        });
        let task: Option<Task> = Some(Box::pin(future));
        state.tasks.push(Some(Slot { life, task, waker }));
        self.shared.runnable.lock().push(index);
    }

    /// Runs a future in a life. The answer never comes if the life ends before the future does.
    pub fn ask<T: Send + 'static>(
        &self,
        life: Life,
        future: impl Future<Output = T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (answer, answered) = oneshot::channel();
        self.spawn(life, async move {
            // Whoever asked may be gone.
            let _ = answer.send(future.await);
        });
        answered
    }

    /// Polls one task, or lets time go on.
    pub fn step(&self) -> Step {
        {
            let mut state = self.shared.state.lock();
            state.steps += 1;
            let hurry = state.hurry;
            if state.random.chance(hurry) && self.jump(&mut state, Some(HURRY_MAX)) {
                return Step::Waited;
            }
        }
        if self.poll_one() {
            return Step::Ran;
        }
        if self.jump(&mut self.shared.state.lock(), None) {
            Step::Waited
        } else {
            Step::Idle
        }
    }

    /// Polls one task. Returns whether there was one that could run.
    fn poll_one(&self) -> bool {
        let (task, slot_waker, index) = {
            let mut state = self.shared.state.lock();
            let Some(index) = self.choose(&mut state) else {
                return false;
            };
            let slot = state.tasks[index].as_mut().expect("a runnable task is there");
            (slot.task.take(), slot.waker.clone(), index)
        };
        let Some(mut task) = task else { return true };
        slot_waker.is_runnable.store(false, Ordering::Relaxed);
        let waker = Waker::from(slot_waker);
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        let over = {
            let mut state = self.shared.state.lock();
            match (&mut state.tasks[index], polled) {
                (Some(slot), Poll::Pending) => {
                    slot.task = Some(task);
                    return true;
                }
                // It ended, or its life did meanwhile.
                (slot, _) => (slot.take(), task),
            }
        };
        drop(over);
        true
    }

    /// A runnable task that may be polled.
    fn choose(&self, state: &mut State) -> Option<usize> {
        let mut runnable = self.shared.runnable.lock();
        while !runnable.is_empty() {
            let place = state.random.below(runnable.len());
            let index = runnable.swap_remove(place);
            let Some(slot) = &state.tasks[index] else { continue };
            match state.frozen.get_mut(&slot.life) {
                Some(parked) => parked.push(index),
                None => return Some(index),
            }
        }
        None
    }

    /// Moves time to the next timer, unless that is further away than `within`. Returns whether it did.
    fn jump(&self, state: &mut State, within: Option<Duration>) -> bool {
        let now = self.now();
        let Some(((at, _), _)) = state.timers.first_key_value() else {
            return false;
        };
        let at = *at;
        if within.is_some_and(|within| now + within < at) {
            return false;
        }
        self.shared.clock.set(now.max(at));
        while let Some(timer) = state.timers.first_entry().filter(|timer| timer.key().0 <= at) {
            timer.remove().wake();
        }
        true
    }

    /// Waits.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep {
            executor: self.clone(),
            until: self.now() + duration,
            timer: None,
        }
    }

    /// Steps until the future ends.
    ///
    /// # Panics
    /// When it can never end.
    pub fn block_on<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let mut answered = self.ask(WORLD, future);
        loop {
            if let Ok(Some(answer)) = answered.try_recv() {
                return answer;
            }
            assert_ne!(self.step(), Step::Idle, "what is waited for can never happen");
        }
    }

    /// Lets time go on by `duration`, with everything that happens meanwhile.
    pub fn run_for(&self, duration: Duration) {
        let executor = self.clone();
        self.block_on(async move { executor.sleep(duration).await });
    }

    /// Lets everything happen that can at the present time.
    pub fn settle(&self) {
        while self.poll_one() {}
    }
}

/// Waits until a time.
pub struct Sleep {
    executor: Executor,
    until: Timestamp,
    timer: Option<(Timestamp, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.executor.now() >= self.until {
            return Poll::Ready(());
        }
        let executor = self.executor.clone();
        let mut state = executor.shared.state.lock();
        let key = match self.timer {
            Some(key) => key,
            None => {
                state.timers_set += 1;
                (self.until, state.timers_set)
            }
        };
        self.timer = Some(key);
        state.timers.insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            let timer = self.executor.shared.state.lock().timers.remove(&key);
            drop(timer);
        }
    }
}
