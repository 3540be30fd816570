//! Signups.

use dakghar_core::domain::audit::Who;
use dakghar_core::domain::lease::Lease;
use dakghar_core::domain::send_error::SendError;
use dakghar_core::domain::signup::{
    AccountFacts, Language, Link, NewCode, NewSignup, NumberFacts, Reason, Retried, Signup, SignupState, SignupStep,
    StepEnd, StepRecord, Trouble,
};
use dakghar_core::domain::{ApiKeyId, AppId, PhoneNumberId, SignupId, TenantId};

use super::{IDS, at, known_token_full, waba};
use crate::ids::uuid_of;

/// A signup under way, which has done nothing yet.
pub fn signup(tenant_id: TenantId) -> Signup {
    let count = IDS.count();
    let new = NewSignup {
        id: SignupId::from_uuid(uuid_of(count)),
        tenant_id,
        asked_by: Who::Cli,
        key: count.to_be_bytes().repeat(4),
        app_id: AppId::parse("222").expect("digits"),
        with: Retried {
            code: Some(NewCode {
                sealed: vec![1, 2, 3],
                until: at(count + 30_000),
            }),
            ..Retried::default()
        },
    };
    Signup::new(new, at(count))
}

/// A signup that waits until somebody uses its link.
pub fn signup_invited(tenant_id: TenantId) -> Signup {
    let link = Link {
        expires_at: at(1_000_000),
        return_url: None,
        language: None,
        browser: None,
    };
    Signup {
        state: SignupState::Invited,
        link: Some(link),
        sealed_code: None,
        ..signup(tenant_id)
    }
}

fn record_full(error: SendError) -> StepRecord {
    StepRecord {
        step: SignupStep::Subscribe,
        end: StepEnd::Failed,
        at: at(5),
        tries: 2,
        note: Some("বই".into()),
        error: Some(error),
        request_id: Some("req-\"1".into()),
    }
}

/// A signup with every field set, to something else than its default.
pub fn signup_full(tenant_id: TenantId) -> Signup {
    let error = SendError {
        code: Some(133_005),
        subcode: Some(2_494_055),
        http_status: Some(400),
        message: "(#133005) \"PIN\" mismatch".into(),
        details: Some("wait".into()),
        fbtrace_id: Some("AbC".into()),
    };
    let number = number_full();
    Signup {
        asked_by: Who::Tenant(ApiKeyId::from_uuid(uuid_of(7))),
        link: Some(Link {
            expires_at: at(4),
            return_url: Some("https://example.com/\"done\"?x=বই".into()),
            language: Some(Language::Bengali),
            browser: Some(vec![8, 0, 255]),
        }),
        state: SignupState::Stopped,
        step: SignupStep::Register,
        tries: 3,
        records: vec![record_full(error.clone())],
        trouble: Some(Trouble {
            reason: Reason::Refused,
            advice: "Ask for the PIN.".into(),
            error: Some(error),
            at: at(6),
        }),
        sealed_token: Some(vec![0, 255]),
        token: Some(known_token_full()),
        sealed_pin: Some(vec![9]),
        pin_is_made: true,
        deregisters_first: true,
        asked_account: Some(waba("102290129340398")),
        asked_number: Some(number.id.clone()),
        asked_on_app: true,
        waba_id: Some(waba("102290129340398")),
        account: Some(AccountFacts {
            id: waba("102290129340398"),
            name: Some("Dhaka Books".into()),
            currency: Some("BDT".into()),
            review_status: Some("APPROVED".into()),
            has_funding: true,
        }),
        number: Some(number),
        profile: Some(r#"{"about":"বই"}"#.into()),
        next_at: Some(at(8)),
        lease: Some(Lease {
            owner: "w\"1".into(),
            until: at(12),
        }),
        ended_at: Some(at(13)),
        ..signup(tenant_id)
    }
}

fn number_full() -> NumberFacts {
    NumberFacts {
        id: PhoneNumberId::parse("106540352242922").expect("digits"),
        display: Some("+880 1711-000000".into()),
        verified_name: Some("Dhaka Books".into()),
        status: Some("PENDING".into()),
        platform: Some("NOT_APPLICABLE".into()),
        is_on_app: true,
        code_verification: Some("VERIFIED".into()),
        quality: Some("GREEN".into()),
        messaging_limit: Some("TIER_250".into()),
        throughput: Some("STANDARD".into()),
    }
}
