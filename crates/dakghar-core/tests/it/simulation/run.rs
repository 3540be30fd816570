//! One run: the plan is carried out while everything goes wrong, then everything is mended, and all must end well.

use std::sync::Arc;
use std::time::Duration;

use dakghar_core::app::Settings;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_testkit::samples;
use parking_lot::Mutex;

use super::people::{Account, People};
use super::plan::{Act, Deed, Plan, TENANTS};
use crate::promises::{Broken, Reached};
use crate::world::World;
use crate::world::executor::{Step, WORLD};
use crate::world::meta::Temper;
use crate::world::process::{Process, Setup};
use crate::world::random::Random;
use crate::world::wire::Weather;

/// Steps of a run, far more than any needs.
const STEPS_MAX: u64 = 400_000;
/// The time within which everything must come to rest once all is well.
const REST_MAX: Duration = Duration::from_secs(90 * 60);
/// For how long people go on asking once all is well, and how often holds are ended meanwhile.
const PEACE: Duration = Duration::from_secs(300);
const PEACE_ROUNDS: u32 = 3;
/// How often whoever keeps the processes running looks at them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a run came to.
pub struct Outcome {
    pub broken: Option<Broken>,
    pub trace: Vec<String>,
    pub steps: u64,
    /// Faults that came by chance.
    pub faults: u32,
    pub reached: Reached,
}

struct Run {
    world: World,
    people: People,
    processes: Arc<Mutex<Vec<Place>>>,
}

/// Where a process runs, one life after the other.
struct Place {
    process: Process,
    /// The wait before the next life.
    down_for: Duration,
}

/// Carries out a plan.
pub fn run(plan: &Plan, is_traced: bool) -> Outcome {
    let run = Run::begin(plan, is_traced);
    let end = run.carry_out(plan).and_then(|()| run.come_to_rest());
    Outcome {
        broken: run.world.promises.broken().or(end.err()),
        trace: run.world.wire.trace.lines(),
        steps: run.world.wire.executor.steps(),
        faults: run.world.wire.faults(),
        reached: run.world.promises.reached(),
    }
}

impl Run {
    fn begin(plan: &Plan, is_traced: bool) -> Self {
        let world = World::of_seed(plan.kind, plan.seed, is_traced);
        let setup = Setup {
            settings: Settings {
                commits_max: plan.commits_max,
                calls_max: plan.calls_max,
                attempts_max: plan.attempts_max,
                ..world.setup().settings
            },
            reconciles_every: plan.reconciles_every,
            ..world.setup()
        };
        let start = || Place {
            process: Process::start(&world, setup.clone()),
            down_for: LOOK_EVERY,
        };
        let processes: Vec<Place> = (0..plan.processes).map(|_| start()).collect();
        let account = |place: usize| {
            let number = format!("{}", 111 * (place + 1));
            let tenant = world.tenant_with(&processes[0].process, &number, "token-1", UnknownOutcome::Auto);
            Account::new(tenant.id, samples::phone(&number))
        };
        let accounts = (0..TENANTS).map(account).collect();
        let people = People::new((*world).clone(), accounts, Random::new(plan.seed ^ 1));
        Self {
            world,
            people,
            processes: Arc::new(Mutex::new(processes)),
        }
    }

    fn carry_out(&self, plan: &Plan) -> Result<(), Broken> {
        let executor = self.world.wire.executor.clone();
        self.world.wire.weather(plan.weather);
        self.world.meta.temper(plan.temper);
        executor.hurry(plan.hurry);
        self.keep_running();
        let begin = executor.now();
        for Act { at, deed } in plan.acts.clone() {
            let people = self.people.clone();
            let (sleeper, processes) = (executor.clone(), self.processes.clone());
            executor.spawn(WORLD, async move {
                sleeper.sleep(at).await;
                befall(&people, &processes, &deed);
                people.act(deed).await;
            });
        }
        let last = plan.acts.last().map_or(Duration::ZERO, |act| act.at);
        self.step_until(|| executor.now() >= begin + last + Duration::from_secs(30))
    }

    /// Starts dead processes again, as whatever runs them in real life does.
    fn keep_running(&self) {
        let executor = self.world.wire.executor.clone();
        let (shared, processes) = ((*self.world).clone(), self.processes.clone());
        executor.clone().spawn(WORLD, async move {
            loop {
                executor.sleep(LOOK_EVERY).await;
                for place in processes.lock().iter_mut().filter(|place| !place.process.is_alive()) {
                    place.down_for = place.down_for.saturating_sub(LOOK_EVERY);
                    if place.down_for.is_zero() {
                        place.process = Process::start(&shared, place.process.setup().clone());
                        place.down_for = LOOK_EVERY;
                    }
                }
            }
        });
    }

    fn step_until(&self, is_over: impl Fn() -> bool) -> Result<(), Broken> {
        let executor = &self.world.wire.executor;
        loop {
            let step = executor.step();
            if self.world.promises.is_broken() {
                return Ok(());
            }
            // Nothing new is true between two times but at the end of one.
            if step != Step::Ran && is_over() {
                return Ok(());
            }
            if executor.steps() > STEPS_MAX || step == Step::Idle {
                return Err(Broken {
                    promise: "everything comes to rest",
                    detail: format!("after {} steps", executor.steps()),
                });
            }
        }
    }

    /// Mends everything, and waits until all has ended.
    fn come_to_rest(&self) -> Result<(), Broken> {
        let world = &self.world;
        if world.promises.is_broken() {
            return Ok(());
        }
        let executor = &world.wire.executor;
        world.wire.trace.note(|| "ALL IS WELL".to_owned());
        world.wire.weather(Weather::default());
        executor.hurry(0);
        world.meta.temper(Temper {
            reports: true,
            ..Temper::default()
        });
        for place in self.processes.lock().iter_mut() {
            executor.thaw(place.process.life());
            place.down_for = LOOK_EVERY;
        }
        for (tenant, account) in self.people.accounts.iter().enumerate() {
            let (people, token) = (self.people.clone(), account.next_token());
            world.meta.restrict(&account.number, false);
            // Any: of two tokens that were on their way, either may be the last to arrive.
            world.meta.take_any_token(&account.number);
            executor.spawn(WORLD, async move {
                people.replace_token(tenant, &token).await;
                // A pause that was asked for before may still be on its way.
                for _ in 0..PEACE_ROUNDS {
                    people.resume(tenant).await;
                    people.shared.wire.executor.sleep(PEACE / PEACE_ROUNDS).await;
                }
            });
        }
        let begin = executor.now();
        // A wrong peace must not be taken for the end: people are still asking.
        let earliest = begin + PEACE;
        let is_over = || {
            let now = executor.now();
            now >= begin + REST_MAX
                || (now >= earliest && world.meta.posts_open() == 0 && world.promises.is_all_settled(world))
        };
        self.step_until(is_over)?;
        if !world.promises.is_broken() {
            world.promises.at_rest(world);
        }
        Ok(())
    }
}

/// What happens to processes.
fn befall(people: &People, processes: &Mutex<Vec<Place>>, deed: &Deed) {
    let executor = &people.shared.wire.executor;
    match *deed {
        Deed::Crash(place, down_for) => {
            let mut processes = processes.lock();
            if let Some(place) = processes.get_mut(place) {
                place.down_for = down_for;
                executor.end_life(place.process.life());
            }
        }
        Deed::SetClock(place, by_ms, time) => {
            let life = processes.lock().get(place).map(|place| place.process.life());
            if let Some(life) = life {
                let (walls, sleeper) = (people.shared.walls.clone(), executor.clone());
                people.shared.promises.clocks_are_wrong();
                walls.set(life, by_ms);
                executor.spawn(WORLD, async move {
                    sleeper.sleep(time).await;
                    walls.set(life, 0);
                });
            }
        }
        Deed::Freeze(place, time) => {
            let life = processes.lock().get(place).map(|place| place.process.life());
            if let Some(life) = life {
                executor.freeze(life, time);
            }
        }
        _ => {}
    }
}
