//! Several apps sign, each with secrets of its own.

use super::*;

fn id_of(text: &str) -> AppId {
    AppId::parse(text).expect("digits")
}

fn app(id: &str, secrets: &[(&str, Option<i64>)], verify_token: &str) -> AppCredentials {
    let until = |seconds: i64| Instant::from_millis(seconds * 1000);
    AppCredentials {
        id: id_of(id),
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
    let verdict =
        |secret: &str| codec.check_signature(Addressed::AnyApp, b"{}", &[signature(secret, b"{}").as_bytes()]);
    assert_eq!(verdict("a"), SignatureCheck::Invalid);
    codec.use_apps(vec![
        app("1", &[("a", None), ("a before", Some(NOW_SECONDS + 1))], "token a"),
        app("2", &[("b", None), ("b before", Some(NOW_SECONDS))], "token b"),
    ]);
    for secret in ["of the settings", "a", "a before", "b"] {
        assert_eq!(verdict(secret), SignatureCheck::Valid, "{secret}");
    }
    for secret in ["b before", "c", ""] {
        assert_eq!(verdict(secret), SignatureCheck::Invalid, "{secret}");
    }
    for token in ["token", "token a", "token b"] {
        assert!(codec.is_verify_token(Addressed::AnyApp, token), "{token}");
    }
    codec.use_apps(vec![app("2", &[("b", None)], "token b")]);
    assert_eq!(verdict("a"), SignatureCheck::Invalid, "it is gone");
    assert!(
        !codec.is_verify_token(Addressed::AnyApp, "token a")
            && codec.is_verify_token(Addressed::AnyApp, "token b")
            && codec.is_verify_token(Addressed::AnyApp, "token")
    );
}

#[test]
fn with_an_app_signatures_are_checked_although_the_settings_name_no_secret() {
    let codec = webhooks(&[], None);
    assert_eq!(
        codec.check_signature(Addressed::AnyApp, b"{}", &[]),
        SignatureCheck::Skipped
    );
    codec.use_apps(vec![app("1", &[("a", None)], "token a")]);
    assert_eq!(
        codec.check_signature(Addressed::AnyApp, b"{}", &[]),
        SignatureCheck::Invalid
    );
    let signed = signature("a", b"{}");
    assert_eq!(
        codec.check_signature(Addressed::AnyApp, b"{}", &[signed.as_bytes()]),
        SignatureCheck::Valid
    );
}

#[test]
fn the_url_of_an_app_takes_what_that_app_signed_and_nothing_else() {
    let codec = webhooks(&[Secret::new("of the settings")], Some(&Secret::new("token"))).of_app(Some(id_of("9")));
    codec.use_apps(vec![
        app("1", &[("a", None), ("a before", Some(NOW_SECONDS))], "token a"),
        app("2", &[("b", None)], "token b"),
    ]);
    let of_each = [
        ("9", "of the settings", "token"),
        ("1", "a", "token a"),
        ("2", "b", "token b"),
    ];
    for (named, _, _) in of_each {
        let addressed = Addressed::OneApp(named);
        for (id, secret, token) in of_each {
            let signed = signature(secret, b"{}");
            let verdict = codec.check_signature(addressed, b"{}", &[signed.as_bytes()]);
            assert_eq!(verdict == SignatureCheck::Valid, id == named, "{secret} at {named}");
            assert_eq!(
                codec.is_verify_token(addressed, token),
                id == named,
                "{token} at {named}"
            );
        }
        assert_eq!(codec.check_signature(addressed, b"{}", &[]), SignatureCheck::Invalid);
        let before = signature("a before", b"{}");
        assert_eq!(
            codec.check_signature(addressed, b"{}", &[before.as_bytes()]),
            SignatureCheck::Invalid
        );
    }
}

#[test]
fn at_the_url_of_an_app_that_is_not_known_nothing_is_right() {
    for codec in [webhooks(&[], Some(&Secret::new("token"))), {
        let codec = webhooks(&[Secret::new("of the settings")], Some(&Secret::new("token")));
        codec.use_apps(vec![app("1", &[("a", None)], "token a")]);
        codec
    }] {
        for named in ["2", "01", "1 ", "x", ""] {
            let addressed = Addressed::OneApp(named);
            for secret in ["of the settings", "a"] {
                let signed = signature(secret, b"{}");
                let verdict = codec.check_signature(addressed, b"{}", &[signed.as_bytes()]);
                assert_eq!(verdict, SignatureCheck::Invalid, "{secret} at {named}");
            }
            assert_eq!(codec.check_signature(addressed, b"{}", &[]), SignatureCheck::Invalid);
            assert!(!codec.is_verify_token(addressed, "token") && !codec.is_verify_token(addressed, "token a"));
        }
    }
}
