//! Workers scaled as the chart says: the test plays Prometheus, KEDA and the autoscaler, by the rendered chart's own
//! figures, and starts and stops real worker processes under a burst.
//!
//! The times of the chart are divided by `AUTOSCALE_FASTER`, its limit of workers is cut to what this machine carries.
//! `make autoscale` runs it at length, with the chart's own times.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use dakghar_graph_sim::{Fault, FaultRule, StatusPlan};
use dakghar_testkit::{Port, require_services};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::metrics::Measured;
use crate::product::{Backend, Setup, text};

/// The rendered chart.
const CHART: &str = include_str!("../../../../deploy/helm/golden/keda.yaml");
/// The autoscaler looks at a metric as often as KEDA polls it, and leaves alone what is within a tenth of its target.
const TOLERANCE: f64 = 0.1;
const LANES: [&str; 3] = ["high", "normal", "low"];

/// A burst, and the machine that it meets.
struct Burst {
    messages: usize,
    numbers: usize,
    /// The time that Meta takes for an answer.
    answer_ms: u64,
    concurrency: u32,
    /// The most workers that this machine carries.
    workers_max: usize,
    faster: u32,
}

/// The part of the chart about the workers that send.
#[derive(Clone, Copy, Debug)]
struct Scaling {
    min: usize,
    max: usize,
    threshold: f64,
    sync: Duration,
    window: Duration,
}

impl Scaling {
    fn of_the_chart() -> Self {
        let objects = CHART.split("\n---\n");
        let mut objects = objects.filter(|object| object.contains("kind: ScaledObject"));
        let object = objects
            .find(|object| object.contains("name: dakghar-worker-send"))
            .expect("a ScaledObject of the workers that send");
        let value = |name: &str| {
            let behind = object
                .split_once(name)
                .unwrap_or_else(|| panic!("{name} in {object}"))
                .1;
            let digits: String = behind
                .chars()
                .skip_while(|digit| !digit.is_ascii_digit())
                .take_while(char::is_ascii_digit)
                .collect();
            digits.parse::<u32>().expect("a number")
        };
        // This test must compute what the chart asks for.
        let query: String = object
            .split_once("query: >-")
            .expect("a query")
            .1
            .split_whitespace()
            .collect();
        let asked = "(max(dakghar_queue_age_seconds{namespace=\"gateway\"})unlesson()max(dakghar_sending_held{namespace=\"gateway\"})==1)orvector(0)";
        assert!(query.starts_with(asked), "{query}");
        assert!(object.contains("metricType: Value"), "{object}");
        Self {
            min: value("minReplicaCount:") as usize,
            max: value("maxReplicaCount:") as usize,
            threshold: value("threshold:").into(),
            sync: Duration::from_secs(value("pollingInterval:").into()),
            window: Duration::from_secs(value("stabilizationWindowSeconds:").into()),
        }
    }
}

/// The autoscaler, by the rules of Kubernetes for a metric with a target value.
struct Autoscaler {
    scaling: Scaling,
    recommended: VecDeque<(Instant, usize)>,
}

impl Autoscaler {
    fn decide(&mut self, current: usize, value: f64) -> usize {
        let ratio = value / self.scaling.threshold;
        let wanted = if (ratio - 1.0).abs() <= TOLERANCE {
            current
        } else {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a small count"
            )]
            let wanted = (current as f64 * ratio).ceil() as usize;
            wanted
        };
        // Up by as many again, or four, in one step; and the limits of the chart.
        let wanted = wanted.min((current * 2).max(current + 4));
        let wanted = wanted.clamp(self.scaling.min, self.scaling.max);
        let now = Instant::now();
        self.recommended.push_back((now, wanted));
        let window = self.scaling.window;
        self.recommended.retain(|(at, _)| now.duration_since(*at) <= window);
        let stable = self.recommended.iter().map(|(_, wanted)| *wanted).max();
        if wanted < current {
            stable.unwrap_or(wanted).min(current)
        } else {
            wanted
        }
    }
}

/// The metric as the query of the chart sees it.
async fn age(measured: &Measured) -> f64 {
    let scrape = measured.scrape().await;
    if scrape.value("dakghar_sending_held") == 1 {
        return 0.0;
    }
    let ages = LANES.map(|lane| scrape.value(&format!("dakghar_queue_age_seconds{{priority=\"{lane}\"}}")));
    f64::from(u32::try_from(ages.into_iter().max().unwrap_or(0)).expect("a short time"))
}

/// Events, for whoever reads the output.
#[derive(Default)]
struct Seen {
    workers: Vec<usize>,
    age_max: f64,
    back_under: Option<Duration>,
}

async fn start_worker(measured: &mut Measured) {
    let product = &mut measured.product;
    let port = Port::claim();
    let folder = product.dir.path().join(format!("worker-{}", port.number()));
    product.set("DATA_DIR", folder.display());
    product.set("METRICS_ADDR", "127.0.0.1:0");
    product.spawn_on("worker", port.number());
    product.ready_on(port.number()).await;
}

/// Gives the numbers of the burst to tenants of at most a hundred.
async fn numbers(measured: &Measured, count: usize) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut tenant = None;
    for n in 0..count {
        let number = format!("5{n:06}");
        if n % 100 == 0 {
            tenant = Some(measured.product.fast_tenant(&number).await);
        } else {
            let id = &tenant.as_ref().expect("a tenant").id;
            let body = json!({"phoneNumberId": number, "messagesPerSecond": 2_000});
            measured
                .product
                .post(&format!("/tenants/{id}/phone-numbers"), body)
                .await;
        }
        all.push((tenant.as_ref().expect("a tenant").id.clone(), number));
    }
    all
}

/// Posts the burst. Returns the ids of its messages.
async fn post(measured: &Measured, burst: &Burst, numbers: &[(String, String)]) -> BTreeSet<String> {
    let posts = (0..burst.messages).map(|n| {
        let (tenant, number) = &numbers[n % numbers.len()];
        let body = json!({"to": format!("+919{n:09}"), "text": "hello", "from": number});
        async move { text(&measured.product.post(&format!("/tenants/{tenant}/send"), body).await["messageId"]) }
    });
    stream::iter(posts).buffer_unordered(64).collect().await
}

async fn scaled(burst: Burst) -> Seen {
    let mut scaling = Scaling::of_the_chart();
    scaling.max = scaling.max.min(burst.workers_max);
    scaling.sync /= burst.faster;
    scaling.window /= burst.faster;
    let setup = Setup::on(Backend::Distributed).role("api");
    let setup = setup.env("WORKER_CONCURRENCY", burst.concurrency);
    let mut measured = Measured::start(setup.statuses(StatusPlan::none())).await;
    let slow = Fault::Slow { ms: burst.answer_ms };
    measured.product.sim.add_rule(FaultRule::always(slow));
    let numbers = numbers(&measured, burst.numbers).await;
    let mut workers = scaling.min;
    for _ in 0..workers {
        start_worker(&mut measured).await;
    }
    let ids = post(&measured, &burst, &numbers).await;
    assert_eq!(ids.len(), burst.messages);

    let (mut scaler, began) = (
        Autoscaler {
            scaling,
            recommended: VecDeque::new(),
        },
        Instant::now(),
    );
    let mut seen = Seen {
        workers: vec![workers],
        ..Seen::default()
    };
    loop {
        let age = age(&measured).await;
        let taken = measured.product.sim.accepted_counts().len();
        seen.age_max = seen.age_max.max(age);
        let is_sent = taken >= burst.messages && age == 0.0;
        if is_sent && seen.back_under.is_none() {
            seen.back_under = Some(began.elapsed());
        }
        if is_sent && workers == scaling.min && seen.workers.len() > 1 {
            break;
        }
        let wanted = scaler.decide(workers, age);
        println!(
            "{:>5.0?} age {age:>4} taken {taken:>6} workers {workers} -> {wanted}",
            began.elapsed()
        );
        while workers < wanted {
            start_worker(&mut measured).await;
            workers += 1;
        }
        while workers > wanted {
            assert_eq!(
                measured.product.terminate().await,
                Some(0),
                "{}",
                measured.product.log()
            );
            workers -= 1;
        }
        if seen.workers.last() != Some(&workers) {
            seen.workers.push(workers);
        }
        tokio::time::sleep(scaling.sync).await;
    }
    // Each once, and nothing else.
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    for (opaque, count) in measured.product.sim.accepted_counts() {
        *times
            .entry(opaque.split('.').nth(1).expect("a message").to_owned())
            .or_default() += count;
    }
    assert_eq!(times.keys().cloned().collect::<BTreeSet<_>>(), ids, "nothing is lost");
    let doubled: Vec<_> = times.iter().filter(|(_, count)| **count != 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    seen
}

/// Up, and then down: never up again after it went down.
fn assert_calm(workers: &[usize]) {
    let top = workers.iter().max().copied().unwrap_or(0);
    let first_top = workers.iter().position(|count| *count == top).unwrap_or(0);
    assert!(workers[..=first_top].is_sorted(), "it flaps: {workers:?}");
    assert!(workers[first_top..].iter().rev().is_sorted(), "it flaps: {workers:?}");
}

/// A small burst; `make autoscale` sets a large one.
#[tokio::test]
async fn a_burst_makes_several_workers_of_one_and_then_one_again() {
    require_services!(Mongo, Redis);
    let number = |name: &str, small: u32| std::env::var(name).map_or(small, |text| text.parse().expect("a number"));
    let burst = Burst {
        messages: number("AUTOSCALE_MESSAGES", 400) as usize,
        numbers: number("AUTOSCALE_NUMBERS", 8) as usize,
        answer_ms: 500,
        concurrency: number("AUTOSCALE_CONCURRENCY", 4),
        workers_max: number("AUTOSCALE_WORKERS_MAX", 3) as usize,
        faster: number("AUTOSCALE_FASTER", 15),
    };
    let (messages, most) = (burst.messages, burst.workers_max);
    let seen = scaled(burst).await;
    println!(
        "{messages} messages: workers {:?}, oldest {} s, all sent and none due after {:.0?}",
        seen.workers,
        seen.age_max,
        seen.back_under.unwrap_or_default()
    );
    assert!(seen.workers.iter().max() >= Some(&most.min(3)), "{:?}", seen.workers);
    assert_eq!(seen.workers.last(), Some(&1));
    assert_calm(&seen.workers);
}
