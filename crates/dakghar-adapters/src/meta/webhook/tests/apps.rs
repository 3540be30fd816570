//! Several apps sign, each with secrets of its own.

use super::*;

fn app(secrets: &[(&str, Option<i64>)], verify_token: &str) -> AppCredentials {
    let until = |seconds: i64| Instant::from_millis(seconds * 1000);
    AppCredentials {
        secrets: secrets
            .iter()
            .map(|(secret, valid_until)| (Secret::new(*secret), valid_until.map(until)))
            .collect(),
        verify_token: Secret::new(verify_token),
    }
}

#[test]
fn every_valid_secret_of_every_app_verifies_and_no_other() {
    let codec = webhooks(&[Secret::new("of the settings")], Some(&Secret::new("token")));
    let verdict = |secret: &str| codec.check_signature(b"{}", &[signature(secret, b"{}").as_bytes()]);
    assert_eq!(verdict("a"), SignatureCheck::Invalid);
    codec.use_apps(vec![
        app(&[("a", None), ("a before", Some(NOW_SECONDS + 1))], "token a"),
        app(&[("b", None), ("b before", Some(NOW_SECONDS))], "token b"),
    ]);
    for secret in ["of the settings", "a", "a before", "b"] {
        assert_eq!(verdict(secret), SignatureCheck::Valid, "{secret}");
    }
    for secret in ["b before", "c", ""] {
        assert_eq!(verdict(secret), SignatureCheck::Invalid, "{secret}");
    }
    for token in ["token", "token a", "token b"] {
        assert!(codec.is_verify_token(token), "{token}");
    }
    codec.use_apps(vec![app(&[("b", None)], "token b")]);
    assert_eq!(verdict("a"), SignatureCheck::Invalid, "it is gone");
    assert!(!codec.is_verify_token("token a") && codec.is_verify_token("token b") && codec.is_verify_token("token"));
}

#[test]
fn with_an_app_signatures_are_checked_although_the_settings_name_no_secret() {
    let codec = webhooks(&[], None);
    assert_eq!(codec.check_signature(b"{}", &[]), SignatureCheck::Skipped);
    codec.use_apps(vec![app(&[("a", None)], "token a")]);
    assert_eq!(codec.check_signature(b"{}", &[]), SignatureCheck::Invalid);
    let signed = signature("a", b"{}");
    assert_eq!(
        codec.check_signature(b"{}", &[signed.as_bytes()]),
        SignatureCheck::Valid
    );
}
