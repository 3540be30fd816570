//! Tenants and their numbers.

use dakghar_core::domain::access_token::{KnownToken, SEND_SCOPE, TokenFacts};
use dakghar_core::domain::api_key::parse_network;
use dakghar_core::domain::auto_redrive::{AutoRedrive, AutoRedriving, Cause, CauseEnd};
use dakghar_core::domain::country::Country;
use dakghar_core::domain::message::UnknownOutcome;
use dakghar_core::domain::standing::{AccountStop, HistoryImport, Refused, Seen, SeenNumber, Standing, WebhooksGo};
use dakghar_core::domain::tenant::MESSAGES_PER_SECOND_DEFAULT;
use dakghar_core::domain::{
    ApiKey, AppId, Enforced, Hold, HoldReason, KeySecret, Leaving, OperatorKey, PhoneNumber, PhoneNumberId, QuietFor,
    QuietHours, Role, Scope, Scopes, SendingRules, Tenant, TenantLimit, TenantLimits,
};
use dakghar_core::ports::IdGenerator;

use super::{IDS, at, phone, waba};

/// A tenant with one number of its own.
pub fn tenant() -> Tenant {
    let digits = format!("2{:014}", IDS.count());
    tenant_with_numbers(vec![number(phone(&digits))])
}

/// A tenant with these numbers.
pub fn tenant_with_numbers(phone_numbers: Vec<PhoneNumber>) -> Tenant {
    let id = IDS.tenant_id();
    Tenant {
        id,
        name: "Dhaka Books".into(),
        callback_url: None,
        keys: vec![ApiKey::of_earlier_release(&id, IDS.secret_bytes().to_vec(), at(0))],
        wrapped_data_key: IDS.secret_bytes().to_vec(),
        hold: None,
        unknown_outcome: UnknownOutcome::Auto,
        phone_numbers,
        past_numbers: Vec::new(),
        limits: TenantLimits::default(),
        auto: AutoRedriving::default(),
        rules: SendingRules::default(),
        leaving: None,
        created_at: at(0),
        updated_at: at(0),
        removed_at: None,
        version: 0,
    }
}

/// A number with a sealed token and nothing else.
pub fn number(phone_number_id: PhoneNumberId) -> PhoneNumber {
    PhoneNumber {
        phone_number_id,
        waba_id: None,
        waba_is_learned: false,
        display_phone_number: None,
        default_country: None,
        sealed_token: vec![1, 2, 3],
        simulated: false,
        messages_per_second: MESSAGES_PER_SECOND_DEFAULT,
        hold: None,
        token_refusals: 0,
        token: None,
        sealed_pin: None,
        standing: Standing::default(),
    }
}

/// A tenant with every field set, to something else than its default.
pub fn tenant_full() -> Tenant {
    let first = format!("3{:014}", IDS.count());
    let second = format!("4{:014}", IDS.count());
    Tenant {
        id: IDS.tenant_id(),
        name: "ঢাকা \"বই\" \u{1F4DA}".into(),
        callback_url: Some("https://example.com/hook?a=1&b=%20#x".into()),
        keys: vec![key_full(), api_key("second")],
        wrapped_data_key: (0..=255).collect(),
        hold: Some(Hold {
            reason: HoldReason::Paused,
            since: at(5),
            probe_at: None,
        }),
        unknown_outcome: UnknownOutcome::Resend,
        phone_numbers: vec![number_full(phone(&first)), number(phone(&second))],
        past_numbers: vec![phone("9"), phone(&second), phone("8")],
        limits: all_limits(),
        auto: AutoRedriving {
            policy: Some(AutoRedrive {
                causes: Cause::ALL.to_vec(),
                per_minute: 90,
                hours: 48,
                times: 3,
            }),
            failing: vec![phone(&first), phone(&second)],
            ended: vec![CauseEnd {
                id: IDS.redrive_id(),
                cause: Cause::Account,
                phone_number_id: phone(&second),
                at: at(4),
            }],
        },
        rules: SendingRules {
            enforced: Enforced::All,
            stop_words: false,
            quiet_hours: QuietHours::parse("21:00", "08:00", "Asia/Kolkata", QuietFor::All)
                .ok()
                .map(Box::new),
        },
        leaving: Some(Leaving::Numbers(vec![phone(&first), phone(&second)])),
        created_at: at(1),
        updated_at: at(2),
        removed_at: Some(at(3)),
        version: 0,
    }
}

/// A key with one secret and nothing else.
pub fn api_key(name: &str) -> ApiKey {
    let secret = KeySecret {
        hash: IDS.secret_bytes().to_vec(),
        prefix: Some("dk_AbCd".into()),
        valid_until: None,
    };
    ApiKey {
        name: name.into(),
        scopes: Scope::Send.into(),
        ..ApiKey::first(IDS.api_key_id(), secret, at(3))
    }
}

/// A key with every field set, to something else than its default.
pub fn key_full() -> ApiKey {
    let replaced = KeySecret {
        hash: (0..32).collect(),
        prefix: None,
        valid_until: Some(at(99)),
    };
    let networks = ["10.0.0.0/8", "2001:db8::/32"];
    let mut key = ApiKey {
        scopes: Scopes::ALL,
        networks: networks.iter().filter_map(|network| parse_network(network)).collect(),
        expires_at: Some(at(77)),
        last_used_at: Some(at(55)),
        ..api_key("ঢাকা \"key\"")
    };
    key.secrets.push(replaced);
    key
}

/// A key of an operator.
pub fn operator_key(role: Role) -> OperatorKey {
    OperatorKey {
        role,
        key: ApiKey {
            scopes: role.scopes(),
            ..api_key("operator")
        },
        version: 0,
    }
}

/// Every limit, each with another number.
fn all_limits() -> TenantLimits {
    let mut limits = TenantLimits::default();
    for (number, limit) in (70..).zip(TenantLimit::ALL) {
        limits.set(limit, Some(number));
    }
    limits
}

/// A number with every field set, to something else than its default.
pub fn number_full(phone_number_id: PhoneNumberId) -> PhoneNumber {
    PhoneNumber {
        phone_number_id,
        waba_id: Some(waba("102290129340398")),
        waba_is_learned: true,
        display_phone_number: Some("+880 1711-000000".into()),
        default_country: Country::parse("BD"),
        sealed_token: vec![0, 255, 128, 10, 13, 0],
        simulated: true,
        messages_per_second: 1_000,
        hold: Some(Hold {
            reason: HoldReason::CredentialsInvalid,
            since: at(7),
            probe_at: Some(at(900_007)),
        }),
        token_refusals: 2,
        token: Some(known_token_full()),
        sealed_pin: Some(vec![9, 0, 200]),
        standing: standing_full(),
    }
}

/// A standing with every field set.
pub fn standing_full() -> Standing {
    let number = SeenNumber {
        display: Some("+880 1711-000000".into()),
        name: Some("ঢাকা \"বই\"".into()),
        name_status: Some("DECLINED".into()),
        status: Some("FLAGGED".into()),
        quality: Some("RED".into()),
        messaging_limit: Some("TIER_2K".into()),
        throughput: Some("HIGH".into()),
        is_on_app: Some(false),
        has_pin: Some(true),
        mode: Some("SANDBOX".into()),
        health: Some("LIMITED".into()),
        webhook_url: Some("https://others.example/a?b=1".into()),
        waba_id: Some(waba("102290129340398")),
    };
    Standing {
        seen: Some(Seen {
            number,
            review: Some("PENDING".into()),
            webhooks: Some(WebhooksGo::Elsewhere),
            webhook_url: Some("https://others.example/a?b=1".into()),
            refused: Some(Refused {
                code: 100,
                subcode: Some(33),
            }),
        }),
        checked_at: Some(at(71)),
        rests_until: Some(at(72)),
        is_asked: true,
        stop: Some(AccountStop {
            event: "DISABLED_UPDATE".into(),
            since: at(73),
            is_over: true,
        }),
        news_at: Some(at(78)),
        subscribed_at: Some(at(74)),
        history: Some(HistoryImport {
            phase: 2,
            progress: 70,
            messages: 1_000,
            began_at: at(75),
            finished_at: Some(at(76)),
            declined_at: Some(at(77)),
            chunks: vec![0, 255],
        }),
    }
}

/// What is known of a token, with every field set.
pub fn known_token_full() -> KnownToken {
    KnownToken {
        facts: Some(TokenFacts {
            app_id: AppId::parse("222").expect("digits"),
            kind: Some("SYSTEM_USER".into()),
            scopes: vec![SEND_SCOPE.into(), "business_management".into()],
            accounts: vec![waba("102290129340398")],
            expires_at: Some(at(9_000_000)),
        }),
        checked_at: at(70),
        warned_days: Some(7),
    }
}
