use super::*;

fn facts<'a>() -> CallFacts<'a> {
    CallFacts {
        phone_number_id: "106",
        call: None,
        to: Some("+880 1711-000000"),
        to_digits: Some("8801711000000"),
        text: Some("নমস্কার world"),
        biz_opaque: Some("v1.msg.1.mac"),
        message_type: "text",
    }
}

fn hits(engine: &RuleEngine, calls: usize) -> Vec<bool> {
    (0..calls).map(|_| engine.decide(&facts()).is_some()).collect()
}

/// Whether a rule under this condition hits the call of [`facts`].
fn is_hit(when: Match) -> bool {
    let engine = RuleEngine::seeded(1);
    engine.add(FaultRule::always(Fault::EmptyBody).when(when));
    engine.decide(&facts()).is_some()
}

#[test]
fn rates_hit_the_calls_they_name() {
    let check = |rate: Rate, times: Option<u64>, expected: &[bool]| {
        let engine = RuleEngine::seeded(1);
        engine.add(FaultRule {
            rate,
            times,
            ..FaultRule::always(Fault::EmptyBody)
        });
        assert_eq!(hits(&engine, expected.len()), expected, "{rate:?} {times:?}");
    };
    check(Rate::Always, None, &[true, true, true]);
    check(Rate::Always, Some(2), &[true, true, false, false]);
    check(Rate::EveryNth(2), None, &[false, true, false, true]);
    check(Rate::First(1), None, &[true, false, false]);
    check(Rate::Probability(0.0), None, &[false, false]);
    check(Rate::Probability(1.0), None, &[true, true]);
}

#[test]
fn a_probability_is_repeatable_by_its_seed() {
    let run = |seed| {
        let engine = RuleEngine::seeded(seed);
        engine.add(FaultRule::sometimes(0.5, Fault::EmptyBody));
        hits(&engine, 64)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn each_condition_is_looked_at() {
    let check = |set: fn(&mut Match) -> &mut Option<String>, value: &str, expected: bool| {
        let mut when = Match::default();
        *set(&mut when) = Some(value.to_owned());
        assert_eq!(is_hit(when.clone()), expected, "{when:?}");
    };
    assert!(is_hit(Match::default()));
    check(|when| &mut when.phone_number_id, "106", true);
    check(|when| &mut when.phone_number_id, "107", false);
    check(|when| &mut when.to, "+8801711000000", true);
    check(|when| &mut when.to, "+8801711000001", false);
    check(|when| &mut when.text_contains, "নমস্কার", true);
    check(|when| &mut when.biz_opaque_prefix, "v1.msg.", true);
    check(|when| &mut when.biz_opaque_prefix, "msg", false);
    check(|when| &mut when.message_type, "template", false);
}

#[test]
fn conditions_must_all_hold() {
    let both = Match {
        phone_number_id: Some("106".to_owned()),
        text_contains: Some("absent".to_owned()),
        ..Match::default()
    };
    assert!(!is_hit(both));
}

#[test]
fn the_first_rule_that_hits_decides_and_a_miss_lets_the_next_try() {
    let engine = RuleEngine::seeded(1);
    engine.add(FaultRule::first(1, Fault::EmptyBody));
    engine.add(FaultRule::always(Fault::BadJson));
    assert_eq!(engine.decide(&facts()), Some(Fault::EmptyBody));
    assert_eq!(engine.decide(&facts()), Some(Fault::BadJson));
    let seen: Vec<_> = engine.list().iter().map(|view| (view.matched, view.hits)).collect();
    assert_eq!(seen, [(2, 1), (1, 1)]);
    engine.clear();
    assert_eq!(engine.decide(&facts()), None);
}

#[test]
fn a_reset_before_read_is_decided_by_the_number_alone() {
    let engine = RuleEngine::seeded(1);
    let when = Match {
        phone_number_id: Some("106".to_owned()),
        ..Match::default()
    };
    engine.add(FaultRule::always(Fault::ResetBeforeRead).when(when));
    assert!(engine.resets_before_read("106"));
    assert!(!engine.resets_before_read("107"));
    assert_eq!(engine.decide(&facts()), None);
}

#[test]
fn flaws_are_found() {
    assert!(FaultRule::sometimes(1.5, Fault::EmptyBody).flaw().is_some());
    let every = FaultRule {
        rate: Rate::EveryNth(0),
        ..FaultRule::always(Fault::EmptyBody)
    };
    assert!(every.flaw().is_some());
    let body = Match {
        to: Some("+1".to_owned()),
        ..Match::default()
    };
    assert!(FaultRule::always(Fault::ResetBeforeRead).when(body).flaw().is_some());
    assert!(FaultRule::always(Fault::ResetBeforeRead).flaw().is_none());
}

#[test]
fn rules_read_from_json_and_refuse_unknown_fields() {
    let rule: FaultRule =
        serde_json::from_str(r#"{"when":{"to":"+1"},"rate":{"every_nth":3},"fault":{"graph_error":{"code":130429}}}"#)
            .unwrap();
    assert_eq!(rule.fault, Fault::rate_limited());
    let plain: FaultRule = serde_json::from_str(r#"{"fault":"timeout_after_accept"}"#).unwrap();
    assert_eq!(plain.rate, Rate::Always);
    for bad in [
        r#"{"fault":"explode"}"#,
        r#"{"fault":"empty_body","color":"red"}"#,
        r#"{"when":{"from":"x"},"fault":"empty_body"}"#,
        r#"{"fault":{"graph_error":{"code":1,"colour":2}}}"#,
    ] {
        assert!(serde_json::from_str::<FaultRule>(bad).is_err(), "{bad}");
    }
}
