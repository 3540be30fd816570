use uuid::Uuid;

use super::*;
use crate::domain::access_token::{KnownToken, TokenFacts};
use crate::domain::standing::Standing;
use crate::domain::time::Present;
use crate::domain::{AppId, PhoneNumberId, WabaId};

const SECOND: Duration = Duration::from_secs(1);

/// Its uptime.
struct SetClock(Mutex<Duration>);

impl SetClock {
    fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl Clock for SetClock {
    fn present(&self) -> Present {
        (Timestamp::from_millis(1_760_000_000_000) + self.uptime()).into()
    }

    fn uptime(&self) -> Duration {
        *self.0.lock()
    }
}

fn allowances() -> (Allowances, Arc<SetClock>) {
    // A machine that was started long ago.
    let clock = Arc::new(SetClock(Mutex::new(Duration::from_secs(100_000))));
    (Allowances::new(clock.clone(), Arc::default()), clock)
}

fn tenant(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

fn number(id: &str, account: Option<&str>, app: Option<&str>) -> PhoneNumber {
    PhoneNumber {
        phone_number_id: PhoneNumberId::parse(id).expect("digits"),
        waba_id: account.map(|id| WabaId::parse(id).expect("digits")),
        waba_is_learned: false,
        display_phone_number: None,
        default_country: None,
        sealed_token: Vec::new(),
        simulated: false,
        messages_per_second: 80,
        hold: None,
        token_refusals: 0,
        token: app.map(|id| KnownToken {
            facts: Some(TokenFacts {
                app_id: AppId::parse(id).expect("digits"),
                kind: None,
                scopes: Vec::new(),
                accounts: Vec::new(),
                expires_at: None,
            }),
            checked_at: Timestamp::from_millis(0),
            warned_days: None,
        }),
        sealed_pin: None,
        standing: Standing::default(),
    }
}

fn refusal(code: i64, retry_after: Option<Duration>) -> GraphRefusal {
    GraphRefusal {
        http_status: 400,
        code,
        subcode: None,
        message: "refused".into(),
        details: None,
        is_transient: None,
        retry_after,
        fbtrace_id: None,
    }
}

fn usage(calls: u32, regained_after: Option<Duration>) -> Usage {
    Usage {
        calls,
        regained_after,
        ..Usage::default()
    }
}

fn of_account(id: &str, usage: Usage) -> AllowancesUsed {
    AllowancesUsed {
        accounts: vec![(WabaId::parse(id).expect("digits"), usage)],
        app: None,
    }
}

fn of_app(usage: Usage) -> AllowancesUsed {
    AllowancesUsed {
        accounts: Vec::new(),
        app: Some(usage),
    }
}

const NOTHING: AllowancesUsed = AllowancesUsed {
    accounts: Vec::new(),
    app: None,
};

/// The seconds that are left of the rest.
fn rest(allowances: &Allowances, tenant: &TenantId, number: &PhoneNumber) -> Option<u64> {
    let rest = allowances.wait_of(tenant, number)?;
    assert_eq!(rest.subsec_nanos(), 0, "{rest:?}");
    Some(rest.as_secs())
}

#[test]
fn who_is_refused_rests_longer_each_time_and_a_refusal_that_comes_late_is_a_first_one() {
    let (allowances, clock) = allowances();
    let (tenant, number) = (tenant(1), number("1", Some("9"), Some("7")));
    let refused = refusal(80_007, None);
    let refuse = || allowances.note(&tenant, &number, CallResult::Refused(&refused), &NOTHING);
    let mut rests = Vec::new();
    for _ in 0..7 {
        // Those that were under way together say one thing.
        for _ in 0..50 {
            refuse();
        }
        let rest = rest(&allowances, &tenant, &number).expect("a rest");
        rests.push(rest);
        clock.advance(SECOND * u32::try_from(rest).expect("a minute"));
        assert_eq!(allowances.wait_of(&tenant, &number), None, "it is over");
    }
    assert_eq!(rests, [2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(allowances.metrics.allowance_rests.of(AllowanceOf::Account).get(), 7);
    clock.advance(SECOND * 60);
    refuse();
    assert_eq!(rest(&allowances, &tenant, &number), Some(2));
}

#[test]
fn the_time_that_meta_names_is_the_rest_whatever_was_guessed() {
    let (allowances, clock) = allowances();
    let (tenant, number) = (tenant(1), number("1", Some("9"), Some("7")));
    let minutes = |minutes| of_account("9", usage(100, Some(Duration::from_mins(minutes))));
    let refused = refusal(80_007, None);
    for _ in 0..3 {
        allowances.note(&tenant, &number, CallResult::Refused(&refused), &minutes(5));
        assert_eq!(rest(&allowances, &tenant, &number), Some(300));
        clock.advance(SECOND * 300);
        assert_eq!(allowances.wait_of(&tenant, &number), None, "and no longer");
    }
    allowances.note(&tenant, &number, CallResult::Refused(&refused), &minutes(9));
    clock.advance(SECOND);
    allowances.note(&tenant, &number, CallResult::Other, &minutes(1));
    assert_eq!(rest(&allowances, &tenant, &number), Some(60), "it is the last word");
    let asked = refusal(80_007, Some(SECOND * 90));
    allowances.note(&tenant, &number, CallResult::Refused(&asked), &NOTHING);
    assert_eq!(rest(&allowances, &tenant, &number), Some(90));
}

#[test]
fn an_account_and_an_app_rest_for_all_their_numbers_and_for_nobody_else() {
    for (code, others_of_account, others_of_app) in [(80_007, true, false), (4, false, true)] {
        let (allowances, _) = allowances();
        let refused = refusal(code, None);
        let first = number("1", Some("9"), Some("7"));
        allowances.note(&tenant(1), &first, CallResult::Refused(&refused), &NOTHING);
        let rests = |account, app| {
            let number = number("2", account, app);
            allowances.wait_of(&tenant(2), &number).is_some()
        };
        assert_eq!(rests(Some("9"), Some("8")), others_of_account, "{code}");
        assert_eq!(rests(Some("8"), Some("7")), others_of_app, "{code}");
        for (account, app) in [(Some("8"), Some("8")), (None, None)] {
            assert!(!rests(account, app), "{code}");
        }
    }
}

#[test]
fn where_an_account_is_not_known_the_number_rests_and_where_an_app_is_not_known_those_of_the_tenant() {
    let (allowances, _) = allowances();
    let (one, other) = (tenant(1), tenant(2));
    let refused = refusal(80_007, None);
    allowances.note(
        &one,
        &number("1", None, Some("7")),
        CallResult::Refused(&refused),
        &NOTHING,
    );
    let rests = |tenant, id, app| allowances.wait_of(tenant, &number(id, None, app)).is_some();
    assert!(rests(&one, "1", Some("7")));
    assert!(!rests(&one, "2", Some("7")), "it may be of another account");

    let refused = refusal(4, None);
    allowances.note(
        &one,
        &number("3", Some("9"), None),
        CallResult::Refused(&refused),
        &NOTHING,
    );
    assert!(rests(&one, "4", None), "it is of the same tenant");
    assert!(!rests(&one, "4", Some("7")), "its app is known");
    assert!(!rests(&other, "5", None), "nobody else rests");
}

#[test]
fn the_only_account_that_an_answer_names_is_that_of_its_number() {
    let (allowances, _) = allowances();
    let tenant = tenant(1);
    let unknown = number("1", None, None);
    allowances.note(&tenant, &unknown, CallResult::Taken, &of_account("9", usage(93, None)));
    assert_eq!(rest(&allowances, &tenant, &unknown), Some(4));
    assert_eq!(rest(&allowances, &tenant, &number("2", Some("9"), None)), Some(4));

    let unknown = number("3", None, None);
    let mut two = of_account("9", usage(93, None));
    two.accounts.extend(of_account("8", usage(93, None)).accounts);
    allowances.note(&tenant, &unknown, CallResult::Taken, &two);
    assert_eq!(rest(&allowances, &tenant, &unknown), None);
}

#[test]
fn what_refuses_something_else_again_and_again_does_not_hold_up_messages_that_meta_takes() {
    let (allowances, clock) = allowances();
    let (tenant, number) = (tenant(1), number("1", Some("9"), Some("7")));
    let refused = refusal(80_007, None);
    let poll = || allowances.note(&tenant, &number, CallResult::of_other(Some(&refused)), &NOTHING);
    poll();
    assert_eq!(
        rest(&allowances, &tenant, &number),
        Some(2),
        "it may be about messages, too"
    );
    clock.advance(SECOND * 2);
    allowances.note(&tenant, &number, CallResult::Taken, &NOTHING);
    for _ in 0..50 {
        poll();
        assert_eq!(rest(&allowances, &tenant, &number), None, "Meta takes messages");
        clock.advance(SECOND);
    }
    allowances.note(&tenant, &number, CallResult::Refused(&refused), &NOTHING);
    assert_eq!(rest(&allowances, &tenant, &number), Some(4), "a message is refused");
    clock.advance(SECOND * 4);
    poll();
    assert_eq!(
        rest(&allowances, &tenant, &number),
        Some(8),
        "no message was taken since"
    );
}

#[test]
fn what_meta_said_is_known_for_an_hour_and_until_when_the_rest_lasts() {
    let (allowances, clock) = allowances();
    let (tenant, number) = (tenant(1), number("1", Some("9"), Some("7")));
    assert_eq!(allowances.of(&tenant, &number), KnownAllowances::default());
    let told_at = clock.wall();
    let told = usage(100, Some(Duration::from_mins(2)));
    allowances.note(&tenant, &number, CallResult::Other, &of_account("9", told));
    allowances.note(&tenant, &number, CallResult::Other, &of_app(usage(28, None)));
    clock.advance(SECOND * 30);
    let left = usage(100, Some(SECOND * 90));
    let expected = KnownAllowances {
        account: Some(KnownAllowance {
            usage: Some((left, told_at)),
            held_until: Some(told_at + SECOND * 120),
        }),
        app: Some(KnownAllowance {
            usage: Some((usage(28, None), told_at)),
            held_until: None,
        }),
    };
    assert_eq!(allowances.of(&tenant, &number), expected);
    let last = allowances.last_told(&tenant, &number);
    assert_eq!(last.accounts, of_account("9", left).accounts);
    assert_eq!(last.app, Some(usage(28, None)));
    clock.advance(Duration::from_hours(1));
    assert_eq!(allowances.of(&tenant, &number), KnownAllowances::default());
    assert!(allowances.last_told(&tenant, &number).is_empty());
}

#[test]
fn the_oldest_are_forgotten_when_too_many_are_known_and_those_who_rest_last() {
    let (allowances, _) = allowances();
    let tenant = tenant(1);
    let of = |n: usize| {
        number(
            &(1_000_000 + n).to_string(),
            Some(&(2_000_000 + n).to_string()),
            Some("7"),
        )
    };
    let tell = |n: usize, percent| {
        let number = of(n);
        let account = number.waba_id.clone().expect("an account");
        let used = of_account(account.as_str(), usage(percent, None));
        allowances.note(&tenant, &number, CallResult::Other, &used);
    };
    tell(0, 100);
    for n in 1..=3 * table::KNOWN_MAX {
        tell(n, 5);
    }
    let is_known = |n| allowances.of(&tenant, &of(n)).account.is_some();
    let known = (0..=3 * table::KNOWN_MAX).filter(|n| is_known(*n)).count();
    assert!(known <= table::KNOWN_MAX, "{known}");
    assert!(is_known(0), "it rests");
    assert!(!is_known(1) && !is_known(table::KNOWN_MAX));
    assert!(is_known(3 * table::KNOWN_MAX) && is_known(3 * table::KNOWN_MAX - 1_000));
}
