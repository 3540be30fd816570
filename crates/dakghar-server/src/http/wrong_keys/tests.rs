use super::address::{GUESSES_MAX, LINE_MAX};
use super::*;

const ADDR: &str = "203.0.113.7";
const OTHER: &str = "203.0.113.8";

fn at(ms: u64) -> Duration {
    Duration::from_secs(1_000_000) + Duration::from_millis(ms)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn wrong(keys: &WrongKeys, addr: &str, now: Duration) -> Result<(), Duration> {
    let begun = keys.begin_now(Some(ip(addr)), "wrong", None, now);
    begun.map(|check| check.settle(Verdict::Wrong)).map_err(|problem| {
        assert_eq!(problem.code, ErrorCode::RateLimited);
        problem.retry_after.expect("a time")
    })
}

fn exhausted() -> WrongKeys {
    let keys = WrongKeys::new(10, Arc::default());
    for _ in 0..10 {
        assert_eq!(wrong(&keys, ADDR, at(0)), Ok(()));
    }
    keys
}

#[test]
fn an_address_has_so_many_tries_a_minute_and_gets_them_back_one_by_one() {
    let keys = exhausted();
    assert_eq!(wrong(&keys, ADDR, at(0)), Err(Duration::from_secs(6)));
    assert_eq!(wrong(&keys, ADDR, at(5_999)), Err(Duration::from_millis(1)));
    assert_eq!(wrong(&keys, ADDR, at(6_000)), Ok(()));
    assert!(wrong(&keys, ADDR, at(6_000)).is_err());
    assert_eq!(wrong(&keys, "203.0.113.8", at(0)), Ok(()), "another address");
    assert_eq!(
        (
            keys.metrics.wrong_keys.get(),
            keys.metrics.refused.of(Limit::WrongKeys).get()
        ),
        (12, 3)
    );
}

#[test]
fn a_key_that_was_right_is_let_through_and_a_new_one_gets_the_next_try() {
    let keys = WrongKeys::new(10, Arc::default());
    let (own, other) = (
        TenantId::parse("ten_00000000000000000000000001").expect("an id"),
        TenantId::parse("ten_00000000000000000000000002").expect("an id"),
    );
    keys.begin_now(Some(ip(ADDR)), "key", Some(&own), at(0))
        .expect("begun")
        .settle(Verdict::Tenants);
    keys.begin_now(Some(ip(ADDR)), "admin", None, at(0))
        .expect("begun")
        .settle(Verdict::Operators);
    for addr in [ADDR, OTHER] {
        let tries = (0..10).filter(|_| wrong(&keys, addr, at(0)).is_ok()).count();
        assert_eq!((tries, wrong(&keys, addr, at(0)).is_ok()), (10, false));
    }
    let is_let_through_at = |addr, key, tenant, ms| keys.begin_now(Some(ip(addr)), key, tenant, at(ms)).is_ok();
    let is_let_through = |key, tenant, ms| is_let_through_at(ADDR, key, tenant, ms);
    assert!(
        is_let_through_at(OTHER, "key", Some(&own), 0),
        "it is too long to be guessed"
    );
    assert!(
        !is_let_through_at(OTHER, "admin", None, 0),
        "guesses of the operator's need free tries at every other address"
    );
    assert!(is_let_through("key", Some(&own), 0));
    assert!(!is_let_through("key", Some(&other), 0), "it is not that tenant's");
    assert!(!is_let_through("key", None, 0));
    assert!(
        is_let_through("admin", Some(&other), 0),
        "the operator's is right everywhere"
    );
    for _ in 0..20 {
        assert!(
            is_let_through("new", Some(&own), 6_000),
            "a key without a verdict uses no try up"
        );
    }
}

#[test]
fn a_key_that_was_revoked_is_let_through_no_longer() {
    let keys = WrongKeys::new(10, Arc::default());
    let own = TenantId::parse("ten_00000000000000000000000001").expect("an id");
    let begin = |key| keys.begin_now(Some(ip(ADDR)), key, Some(&own), at(0));
    for key in ["revoked", "kept"] {
        begin(key).expect("begun").settle(Verdict::Tenants);
    }
    begin("revoked").expect("begun").settle(Verdict::Wrong);
    while wrong(&keys, ADDR, at(0)).is_ok() {}
    assert!(begin("revoked").is_err());
    assert!(begin("kept").is_ok());
}

#[test]
fn the_operators_key_cannot_be_guessed_quickly_where_the_operator_is() {
    let keys = WrongKeys::new(10, Arc::default());
    let own = TenantId::parse("ten_00000000000000000000000001").expect("an id");
    let begin = |key, tenant, ms| keys.begin_now(Some(ip(ADDR)), key, tenant, at(ms));
    begin("admin", None, 0).expect("begun").settle(Verdict::Operators);
    begin("key", Some(&own), 0).expect("begun").settle(Verdict::Tenants);
    for _ in 0..10 {
        assert_eq!(wrong(&keys, ADDR, at(0)), Ok(()));
    }
    for _ in 1..GUESSES_MAX {
        assert!(begin("guess", None, 0).is_err());
    }
    assert!(begin("admin", None, 999).is_ok());
    assert!(begin("guess", None, 999).is_err());
    let refused = |key| begin(key, None, 999).map(|_| ()).expect_err("refused").retry_after;
    assert_eq!(refused("admin"), refused("guess"), "one is refused like the other");
    assert!(begin("key", Some(&own), 999).is_ok(), "it is too long to be guessed");
    assert!(begin("admin", None, 1_000).is_ok(), "another second");
}

#[test]
fn a_right_key_waits_as_long_as_a_wrong_one() {
    let keys = WrongKeys::new(60, Arc::default());
    let other = WrongKeys::new(60, Arc::default());
    for keys in [&keys, &other] {
        keys.begin_now(Some(ip(OTHER)), "admin", None, at(0))
            .expect("begun")
            .settle(Verdict::Operators);
        while wrong(keys, ADDR, at(0)).is_ok() {}
    }
    let wait = |keys: &WrongKeys, key| {
        let begun = keys.begin(Some(ip(ADDR)), key, None, at(0), WAIT_MAX);
        begun.map(|check| check.wait).map_err(|problem| problem.retry_after)
    };
    assert_eq!(wait(&keys, "admin"), Ok(Duration::from_secs(1)));
    assert_eq!(wait(&other, "guess"), Ok(Duration::from_secs(1)));
}

#[test]
fn keys_that_are_checked_at_the_same_time_share_the_tries_that_are_left() {
    let keys = WrongKeys::new(10, Arc::default());
    for _ in 0..8 {
        assert_eq!(wrong(&keys, ADDR, at(0)), Ok(()));
    }
    let begin = || keys.begin_now(Some(ip(ADDR)), "guess", None, at(0)).ok();
    let (first, second) = (begin(), begin());
    assert!(first.is_some() && second.is_some());
    assert!(begin().is_none());
    drop(first);
    assert!(begin().is_some(), "what ended without a verdict gives its try back");
}

#[test]
fn keys_wait_one_behind_the_other_for_the_next_tries_if_these_are_near() {
    // A try each half second.
    let keys = WrongKeys::new(120, Arc::default());
    let tries = (0..120).filter(|_| wrong(&keys, ADDR, at(0)).is_ok()).count();
    assert_eq!(tries, 120);
    let begin = || keys.begin(Some(ip(ADDR)), "guess", None, at(0), WAIT_MAX);
    let mut line: Vec<KeyCheck<'_>> = (0..10).map(|_| begin().expect("in line")).collect();
    let waits: Vec<_> = line.iter().map(|check| check.wait.as_millis()).collect();
    assert_eq!(waits, [500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000]);
    let refused = begin().map(|_| ()).expect_err("beyond the longest wait");
    assert_eq!(refused.retry_after, Some(Duration::from_millis(5_500)));
    // One is right, one hangs up: neither uses its try up. The others are wrong.
    line.remove(0).settle(Verdict::Tenants);
    drop(line.remove(0));
    for check in line {
        check.settle(Verdict::Wrong);
    }
    let next = keys.begin(Some(ip(ADDR)), "next", None, at(0), WAIT_MAX);
    assert_eq!(next.expect("in line").wait, Duration::from_millis(4_500));

    let keys = WrongKeys::new(10_000, Arc::default());
    while keys
        .begin_now(Some(ip(ADDR)), "guess", None, at(0))
        .map(|check| check.settle(Verdict::Wrong))
        .is_ok()
    {
        assert!(keys.metrics.wrong_keys.get() <= 10_000);
    }
    let line: Vec<_> = (0..100)
        .filter_map(|_| keys.begin(Some(ip(ADDR)), "guess", None, at(0), WAIT_MAX).ok())
        .collect();
    assert_eq!(line.len(), LINE_MAX as usize);
}

#[test]
fn an_ipv6_network_is_one_address_and_memory_is_bounded() {
    let keys = WrongKeys::new(1, Arc::default());
    assert_eq!(wrong(&keys, "2001:db8:1:2::1", at(0)), Ok(()));
    assert!(wrong(&keys, "2001:db8:1:2:ffff::2", at(0)).is_err());
    assert_eq!(wrong(&keys, "2001:db8:1:3::1", at(0)), Ok(()));
    for count in 0..u32::try_from(3 * ADDRESSES_MAX).expect("small") {
        keys.begin_now(Some(IpAddr::from(count.to_be_bytes())), "wrong", None, at(0))
            .expect("begun")
            .settle(Verdict::Wrong);
    }
    for count in 0..3 * RIGHT_KEYS_MAX {
        keys.begin_now(None, &count.to_string(), None, at(0))
            .expect("begun")
            .settle(Verdict::Operators);
    }
    keys.addresses.run_pending_tasks();
    keys.right.run_pending_tasks();
    assert!(
        keys.addresses.entry_count() <= ADDRESSES_MAX,
        "{}",
        keys.addresses.entry_count()
    );
    assert!(
        keys.right.entry_count() <= RIGHT_KEYS_MAX,
        "{}",
        keys.right.entry_count()
    );
}
