//! The pacer in Redis takes the same steps as the one in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dakghar_adapters::redis::{RedisConfig, RedisPacer};
use dakghar_core::domain::message::Priority;
use dakghar_core::domain::pacing::RELEASE_CHECK;
use dakghar_core::domain::pacing::{Admission, Pace};
use dakghar_core::domain::{PhoneNumberId, TenantId, Timestamp};
use dakghar_core::ports::{CallAsk, Clock, Pacer, QuotaAsk, SlotAsk, TenantQuota};
use dakghar_testkit::servers::Redis;
use dakghar_testkit::{TestClock, require_services};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redis::AsyncCommands;

use super::{SystemClock, connect, eventually, now, patient, phone};

async fn pacer(url: &str) -> RedisPacer {
    RedisPacer::start(patient(url), Arc::new(SystemClock)).await
}

/// The levels whose slots are a second, a tenth and a hundredth of one apart.
const EVERY_SECOND: f64 = 1.0 / 0.95;
const TEN_A_SECOND: f64 = 10.0 / 0.95;
const HUNDRED_A_SECOND: f64 = 100.0 / 0.95;

fn ask(number: u64, level: f64, priority: Priority, not_before: Timestamp) -> SlotAsk {
    SlotAsk {
        phone_number_id: phone(number),
        level,
        priority,
        not_before,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_that_a_dead_process_let_in_count_on_for_their_second() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let (dies, lives) = (pacer(&redis.url()).await, pacer(&redis.url()).await);
    let asks = [QuotaAsk {
        tenant_id: dakghar_testkit::samples::tenant().id,
        per_second: 10,
        requests: 10,
    }];
    let begun = Instant::now();
    assert_eq!(dies.take(&asks).await.expect("an answer")[0].granted, 10);
    drop(dies);
    let mut granted = 0;
    while granted == 0 {
        granted = lives.take(&asks).await.expect("an answer")[0].granted;
    }
    assert_eq!(granted, 10);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// Lets the numbers of these asks learn the largest share of their level, so that slots are as far apart as it says.
async fn learned(pacer: &RedisPacer, asks: &[SlotAsk]) {
    let long_ago = asks.iter().map(|ask| SlotAsk {
        not_before: ask.not_before - Duration::from_secs(60),
        ..ask.clone()
    });
    pacer.admit(&long_ago.collect::<Vec<_>>()).await.unwrap();
}

async fn calls(pacer: &RedisPacer, process: &str, tenant_id: TenantId, under_way: u32, wanted: u32) -> u32 {
    let ask = CallAsk {
        tenant_id,
        max: 10,
        under_way,
        wanted,
    };
    pacer.take_calls(&process.into(), &[ask]).await.expect("an answer")[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_loss_of_memory_no_call_begins_before_all_have_said_what_they_have() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let pacer = pacer(&redis.url()).await;
    super::until_calls_are_counted(&pacer).await;
    let id = dakghar_testkit::samples::tenant().id;
    assert_eq!(calls(&pacer, "a", id, 0, 9).await, 9);
    let mut connection = connect(&redis.url()).await;
    let () = redis::cmd("FLUSHALL")
        .query_async(&mut connection)
        .await
        .expect("flushed");
    // The first to ask is one that has no call.
    let lost_at = Instant::now();
    assert_eq!(calls(&pacer, "b", id, 0, 9).await, 0);
    assert_eq!(calls(&pacer, "a", id, 9, 1).await, 0);
    let mut granted = 0;
    while granted == 0 {
        granted = calls(&pacer, "b", id, 0, 9).await;
    }
    assert_eq!(granted, 1, "nine are under way");
    // Each says what it has every second.
    assert!(
        lost_at.elapsed() >= Duration::from_millis(1_200),
        "{:?}",
        lost_at.elapsed()
    );
    assert_eq!(calls(&pacer, "a", id, 9, 1).await, 0);
}

/// The steps of the core, which the script must repeat.
#[derive(Default)]
struct Model {
    paces: HashMap<PhoneNumberId, Pace>,
    clock: Arc<TestClock>,
}

impl Model {
    fn each<T>(&mut self, asks: &[SlotAsk], mut step: impl FnMut(&mut Pace, &SlotAsk) -> T) -> Vec<T> {
        asks.iter()
            .map(|ask| {
                let pace = self.paces.entry(ask.phone_number_id.clone()).or_default();
                pace.look(self.clock.now());
                step(pace, ask)
            })
            .collect()
    }
}

fn random_asks(random: &mut SmallRng, at: Timestamp) -> Vec<SlotAsk> {
    let count = random.random_range(1..8);
    let ask_one = |_| {
        let level = [0.0, 0.3, 1.0, 7.0, 20.0, 80.0, 999.0, 2_000_000.0][random.random_range(0..8)];
        let priority = Priority::ALL[random.random_range(0..3)];
        let not_before = match random.random_range(0..4) {
            0 => at + Duration::from_secs(random.random_range(0..3_000_000)),
            1 => at - Duration::from_millis(random.random_range(0..5000)),
            _ => at,
        };
        ask(random.random_range(0..3), level, priority, not_before)
    };
    (0..count).map(ask_one).collect()
}

#[tokio::test]
async fn random_sequences_agree_with_the_pace_of_the_core() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let clock = Arc::new(TestClock::new(now()));
    let pacer = RedisPacer::start(patient(&redis.url()), clock.clone()).await;
    let mut connection = connect(&redis.url()).await;
    for seed in 0..40 {
        let _: () = redis::cmd("FLUSHDB").query_async(&mut connection).await.unwrap();
        let mut random = SmallRng::seed_from_u64(seed);
        let mut model = Model {
            clock: clock.clone(),
            ..Model::default()
        };
        let mut at = now();
        for step in 0..40 {
            at = at + Duration::from_millis(random.random_range(0..400));
            // Another process asks next, whose clock is behind this one's, or ahead of it.
            match random.random_range(0..20) {
                0 => at = at - Duration::from_millis(random.random_range(0..7_200_000)),
                1 => at = at + Duration::from_millis(random.random_range(0..7_200_000)),
                _ => {}
            }
            clock.set(at);
            let asks = random_asks(&mut random, at);
            match random.random_range(0..10) {
                0..4 => {
                    let expected = model.each(&asks, |pace, ask| pace.reserve(ask.not_before, ask.level, ask.priority));
                    assert_eq!(
                        pacer.reserve(&asks).await.unwrap(),
                        expected,
                        "seed {seed}, step {step}: {asks:?}"
                    );
                }
                4..7 => {
                    let expected = model.each(&asks, |pace, ask| pace.admit(ask.not_before, ask.level, ask.priority));
                    assert_eq!(
                        pacer.admit(&asks).await.unwrap(),
                        expected,
                        "seed {seed}, step {step}: {asks:?}"
                    );
                }
                7 => {
                    model.each(&asks, |pace, ask| pace.refund(1, ask.level, ask.priority));
                    pacer.refund(&asks).await;
                }
                8 => {
                    model.each(&asks[..1], |pace, ask| pace.pause_until(at, ask.not_before));
                    pacer
                        .pause_until(&asks[0].phone_number_id, at, asks[0].not_before)
                        .await;
                }
                _ => {
                    model.each(&asks[..1], |pace, _| pace.forget_beyond(at + RELEASE_CHECK));
                    pacer.forget_beyond(&asks[0].phone_number_id, at + RELEASE_CHECK).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_busy_number_with_refusals_agrees_with_the_pace_of_the_core() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let clock = Arc::new(TestClock::new(now()));
    let pacer = RedisPacer::start(patient(&redis.url()), clock.clone()).await;
    for (number, level) in [(1, 20.0), (2, 80.0), (3, 999.0)] {
        let mut random = SmallRng::seed_from_u64(number);
        let mut model = Model {
            clock: clock.clone(),
            ..Model::default()
        };
        let mut at = now();
        for step in 0..300 {
            at = at + Duration::from_millis(random.random_range(0..300));
            clock.set(at);
            let lanes = (0..random.random_range(1..30)).map(|_| Priority::ALL[random.random_range(0..3)]);
            let asks: Vec<_> = lanes.map(|lane| ask(number, level, lane, at)).collect();
            let slots = model.each(&asks[..1], |pace, ask| pace.reserve(at, ask.level, ask.priority));
            assert_eq!(pacer.reserve(&asks[..1]).await.unwrap(), slots, "{level}, step {step}");
            let admitted = model.each(&asks, |pace, ask| pace.admit(at, ask.level, ask.priority));
            assert_eq!(pacer.admit(&asks).await.unwrap(), admitted, "{level}, step {step}");
            if random.random_range(0..60) == 0 {
                let until = at + Duration::from_millis(random.random_range(0..3_000));
                model.each(&asks[..1], |pace, _| pace.pause_until(at, until));
                pacer.pause_until(&phone(number), at, until).await;
            }
        }
    }
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_reserved_does_not_delay_those_that_are_right() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let at = now();
    for (number, ahead_s) in [60, 3_600, 86_400].into_iter().enumerate() {
        let number = number as u64;
        let wrong = at + Duration::from_secs(ahead_s);
        let ahead = RedisPacer::start(patient(&redis.url()), Arc::new(TestClock::new(wrong))).await;
        let asks = vec![ask(number, 10.0, Priority::Normal, wrong); 10];
        ahead.reserve(&asks).await.unwrap();
        ahead.admit(&asks[..1]).await.unwrap();
        let until = wrong + Duration::from_secs(3);
        ahead.pause_until(&phone(number), wrong, until).await;

        let right = RedisPacer::start(patient(&redis.url()), Arc::new(TestClock::new(at))).await;
        let asks = [ask(number, 10.0, Priority::Normal, at)];
        let slots = right.reserve(&asks).await.unwrap();
        assert_eq!(slots, [at + Duration::from_secs(3)], "{ahead_s}");
        let admitted = right.admit(&[ask(number, 10.0, Priority::High, at)]).await.unwrap();
        assert_eq!(admitted, [Admission::Later(at + Duration::from_secs(3))], "{ahead_s}");
    }
}

#[tokio::test]
async fn each_of_many_numbers_gets_its_own_slots() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let pacer = pacer(&redis.url()).await;
    let now = Timestamp::from_millis(1_790_000_000_000);
    // More than one call of the script, and the two asks of a number far apart.
    let asks: Vec<_> = [0, 1]
        .iter()
        .flat_map(|_| (1_000..1_300).map(|number| ask(number, TEN_A_SECOND, Priority::Normal, now)))
        .collect();
    learned(&pacer, &asks[..300]).await;
    let slots = pacer.reserve(&asks).await.unwrap();
    let expected: Vec<_> = [now, now + Duration::from_millis(100)]
        .iter()
        .flat_map(|slot| [*slot; 300])
        .collect();
    assert_eq!(slots, expected);
}

#[tokio::test]
async fn concurrent_processes_never_give_the_same_slot_twice() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let (one, two) = (pacer(&redis.url()).await, pacer(&redis.url()).await);
    let at = now();
    let asks = vec![ask(1, HUNDRED_A_SECOND, Priority::Normal, at); 50];
    learned(&one, &asks[..1]).await;
    let (mut slots, others) = tokio::join!(one.reserve(&asks), two.reserve(&asks));
    let slots = slots.as_mut().unwrap();
    slots.extend(others.unwrap());
    slots.sort();
    let expected: Vec<_> = (0..100).map(|i| at + Duration::from_millis(10 * i)).collect();
    assert_eq!(*slots, expected);
}

#[tokio::test]
async fn what_is_past_is_forgotten_but_what_is_reserved_is_not() {
    require_services!(Redis);
    let redis = Redis::shared().await;
    let pacer = pacer(&redis.url()).await;
    let mut connection = connect(&redis.url()).await;
    let week = Duration::from_hours(7 * 24);
    pacer.reserve(&[ask(1, 1.0, Priority::Normal, now())]).await.unwrap();
    pacer
        .reserve(&[ask(2, 1.0, Priority::Low, now() + week)])
        .await
        .unwrap();
    let life_ms = async |number, connection: &mut redis::aio::MultiplexedConnection| {
        let key = format!("dakghar:pace:{{{}}}", phone(number));
        let life_ms: u64 = connection.pttl(key).await.unwrap();
        Duration::from_millis(life_ms)
    };
    let short = life_ms(1, &mut connection).await;
    assert!(
        short > Duration::from_mins(30) && short < Duration::from_hours(2),
        "{short:?}"
    );
    assert!(life_ms(2, &mut connection).await > week);
}

#[tokio::test]
async fn a_forgotten_script_is_loaded_again() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let pacer = pacer(&redis.url()).await;
    let at = now();
    let asks: Vec<_> = (0..5)
        .map(|number| ask(number, EVERY_SECOND, Priority::Normal, at))
        .collect();
    learned(&pacer, &asks).await;
    pacer.reserve(&asks).await.unwrap();
    let mut forget = redis::cmd("SCRIPT");
    let _: () = forget
        .arg("FLUSH")
        .query_async(&mut connect(&redis.url()).await)
        .await
        .unwrap();
    assert_eq!(
        pacer.reserve(&asks).await.unwrap(),
        vec![at + Duration::from_secs(1); 5]
    );
}

#[tokio::test]
async fn without_redis_it_fails_and_soon_without_waiting() {
    require_services!(Redis);
    let mut redis = Redis::start().await;
    let pacer = RedisPacer::start(RedisConfig::from_url(&redis.url()).unwrap(), Arc::new(SystemClock)).await;
    let asks = [ask(1, 1.0, Priority::Normal, now())];
    pacer.reserve(&asks).await.unwrap();

    redis.stop();
    assert!(pacer.reserve(&asks).await.is_err());
    let before = Instant::now();
    for _ in 0..1000 {
        assert!(pacer.reserve(&asks).await.is_err());
    }
    println!("a thousand refusals took {:?}", before.elapsed());
    assert!(
        before.elapsed() < Duration::from_mins(1),
        "none of them waited for its time to run out"
    );
    pacer.refund(&asks).await;
    pacer.pause_until(&phone(1), now(), now()).await;
    assert!(pacer.admit(&asks).await.is_err(), "without the pacer nobody calls");
    redis.cont();
    eventually("paced again", async || pacer.reserve(&asks).await.is_ok()).await;

    redis.restart().await;
    eventually("paced after a restart", async || {
        pacer.admit(&asks).await == Ok(vec![Admission::Go])
    })
    .await;
}

#[tokio::test]
async fn a_lost_connection_delays_a_call_but_does_not_refuse_it() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let pacer = RedisPacer::start(RedisConfig::from_url(&redis.url()).unwrap(), Arc::new(SystemClock)).await;
    let mut connection = connect(&redis.url()).await;
    for number in 0..20 {
        let mut kill = redis::cmd("CLIENT");
        let _: u64 = kill
            .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
            .query_async(&mut connection)
            .await
            .unwrap();
        let admitted = pacer.admit(&[ask(number, 1.0, Priority::Normal, now())]).await;
        assert_eq!(admitted, Ok(vec![Admission::Go]));
    }
}
