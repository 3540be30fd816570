//! The generator by itself: seeds, kinds, habits and bounds.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::*;
use crate::number::Number;

const NOW: i64 = 1_795_000_000;

fn numbers() -> Vec<Number> {
    let of = |pnid: &str, waba: &str| Number {
        waba_id: waba.to_owned(),
        ..Number::derived(pnid)
    };
    vec![of("111", "9001"), of("222", "9002"), of("333", "9002")]
}

fn made(mixture: &Mixture) -> Vec<Planned> {
    mixture.bodies(numbers(), Vec::new(), NOW).collect()
}

fn json(planned: &Planned) -> Value {
    assert!(planned.body.is_ascii());
    serde_json::from_slice(&planned.body).unwrap()
}

fn changes(body: &Value) -> impl Iterator<Item = &Value> {
    let entries = body["entry"].as_array().unwrap().iter();
    entries.flat_map(|entry| entry["changes"].as_array().unwrap())
}

#[test]
fn a_seed_gives_the_same_bodies_and_another_seed_others() {
    let mixture = Mixture {
        seed: 7,
        ..Mixture::default()
    };
    let other = Mixture {
        seed: 8,
        ..Mixture::default()
    };
    assert_eq!(made(&mixture), made(&mixture));
    assert_ne!(made(&mixture), made(&other));
    assert!(made(&mixture).len() > mixture.bodies, "some come again");
}

#[test]
fn every_kind_is_in_a_mixture_and_names_are_unlike() {
    let names: BTreeSet<&str> = Kind::all().iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), Kind::all().len(), "no name twice");
    let fields: BTreeSet<String> = made(&Mixture::default())
        .iter()
        .flat_map(|planned| {
            changes(&json(planned))
                .map(|change| change["field"].to_string())
                .collect::<Vec<_>>()
        })
        .collect();
    for kind in Kind::all() {
        assert!(fields.contains(&format!("\"{}\"", kind.field)), "{}", kind.name);
        let alone = Mixture {
            kinds: vec![kind.name.to_owned()],
            bodies: 3,
            ..Mixture::default()
        };
        for planned in made(&alone) {
            assert!(
                changes(&json(&planned)).all(|change| change["field"] == kind.field),
                "{}",
                kind.name
            );
        }
    }
}

#[test]
fn habits_show() {
    let plans = made(&Mixture {
        bodies: 300,
        interval_ms: 5,
        ..Mixture::default()
    });
    let bodies: Vec<Value> = plans.iter().map(json).collect();
    let entries = |body: &Value| body["entry"].as_array().unwrap().len();
    assert!(bodies.iter().any(|body| entries(body) > 1), "several entries");
    assert!(
        bodies.iter().any(|body| changes(body).count() > entries(body)),
        "several changes in an entry"
    );
    let numbers_of = |body: &Value| -> BTreeSet<String> {
        changes(body)
            .filter_map(|change| change["value"]["metadata"]["phone_number_id"].as_str())
            .map(str::to_owned)
            .collect()
    };
    assert!(bodies.iter().any(|body| numbers_of(body).len() > 1), "mixed tenants");
    assert!(plans.is_sorted_by_key(|planned| planned.at_ms));
    let mut times: HashMap<&[u8], Vec<u64>> = HashMap::new();
    for planned in &plans {
        times.entry(&planned.body).or_default().push(planned.at_ms);
    }
    assert!(
        times.values().any(|at| at.len() == 2 && at[1] > at[0] + 100),
        "a body again, days later"
    );
    let mut seen: HashMap<String, BTreeSet<usize>> = HashMap::new();
    for (at, body) in bodies.iter().enumerate() {
        for message in changes(body)
            .filter_map(|change| change["value"]["messages"].as_array())
            .flatten()
        {
            seen.entry(message["id"].to_string()).or_default().insert(at);
        }
    }
    let regrouped = |at: &BTreeSet<usize>| at.iter().any(|one| at.iter().any(|two| bodies[*one] != bodies[*two]));
    assert!(seen.values().any(regrouped), "a message again, among others");
    let ages: BTreeSet<bool> = bodies
        .iter()
        .flat_map(changes)
        .filter_map(|change| change["value"]["messages"][0]["timestamp"].as_str())
        .map(|at| NOW - at.parse::<i64>().unwrap() > 3_600)
        .collect();
    assert_eq!(ages.len(), 2, "some are told at once, some late");
}

#[test]
fn a_history_comes_in_waves() {
    let plans = made(&Mixture {
        kinds: vec!["history".to_owned()],
        phone_number_ids: vec!["111".to_owned()],
        bodies: 20,
        updates_max: 1,
        regrouped: 0.0,
        repeats: 0.0,
        disorder: 0.0,
        ..Mixture::default()
    });
    let waves: Vec<(u64, u64)> = plans
        .iter()
        .flat_map(|planned| {
            changes(&json(planned))
                .map(|change| change["value"]["history"][0].clone())
                .collect::<Vec<_>>()
        })
        .filter(Value::is_object)
        .map(|wave| {
            (
                wave["metadata"]["phase"].as_u64().unwrap(),
                wave["metadata"]["progress"].as_u64().unwrap(),
            )
        })
        .collect();
    let first = waves.iter().position(|wave| wave.1 == 100).expect("a whole history");
    assert!(waves[..=first].is_sorted(), "{waves:?}");
    assert_eq!(
        waves[..=first].iter().map(|wave| wave.0).collect::<BTreeSet<_>>(),
        BTreeSet::from([0, 1, 2])
    );
}

#[test]
fn large_bodies_are_as_large_as_meta_makes_them() {
    let plans = made(&Mixture {
        bodies: 6,
        large: 1.0,
        repeats: 0.0,
        ..Mixture::default()
    });
    assert!(
        plans
            .iter()
            .all(|planned| planned.body.len() <= 3_000_000 && planned.updates <= 1_000)
    );
    assert!(plans.iter().any(|planned| planned.updates == 1_000));
    assert!(plans.iter().any(|planned| planned.body.len() > 2_500_000));
}

#[test]
fn settings_out_of_range_are_named() {
    let flaw = |mixture: Mixture| mixture.flaw().unwrap_or_default();
    assert!(
        flaw(Mixture {
            mixed: 1.5,
            ..Mixture::default()
        })
        .contains("mixed")
    );
    assert!(
        flaw(Mixture {
            updates_max: 0,
            ..Mixture::default()
        })
        .contains("updates_max")
    );
    assert!(
        flaw(Mixture {
            bodies: 0,
            ..Mixture::default()
        })
        .contains("bodies")
    );
    assert!(
        flaw(Mixture {
            kinds: vec!["nonsense".to_owned()],
            ..Mixture::default()
        })
        .contains("nonsense")
    );
    assert_eq!(Mixture::default().flaw(), None);
}
