use uuid::Uuid;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn secret(byte: u8) -> KeySecret {
    KeySecret {
        hash: vec![byte; 32],
        prefix: Some(format!("dk_{byte}")),
        valid_until: None,
    }
}

fn key(byte: u8) -> ApiKey {
    ApiKey::first(ApiKeyId::from_uuid(Uuid::from_u128(byte.into())), secret(byte), at(0))
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn a_key_is_found_by_each_of_its_valid_secrets() {
    let mut keys = vec![key(1), key(2), key(3)];
    assert_eq!(keys[1].rotate(secret(9), at(10), Duration::from_secs(60)), Ok(()));
    let found = |keys: &[ApiKey], byte: u8, seconds| {
        let hash = [byte; 32];
        find_key(keys, &[vec![0; 32], hash.to_vec()], at(seconds)).map(|key| key.id)
    };
    assert_eq!(found(&keys, 9, 10), Some(keys[1].id));
    assert_eq!(found(&keys, 2, 69), Some(keys[1].id), "the overlap");
    assert_eq!(found(&keys, 2, 70), None, "the overlap is over");
    assert_eq!(found(&keys, 1, 70), Some(keys[0].id));
    assert_eq!(found(&keys, 7, 10), None);
    assert_eq!(find_key(&keys, &[Vec::new()], at(10)), None);
}

#[test]
fn a_later_rotation_makes_no_old_secret_valid_for_longer_and_there_are_only_so_many() {
    let mut key = key(1);
    assert_eq!(key.rotate(secret(2), at(10), Duration::from_secs(60)), Ok(()));
    assert_eq!(key.rotate(secret(3), at(20), Duration::from_secs(600)), Ok(()));
    let untils: Vec<_> = key.secrets.iter().map(|secret| secret.valid_until).collect();
    assert_eq!(untils, [None, Some(at(620)), Some(at(70))]);
    assert_eq!(key.rotate(secret(4), at(21), KEY_OVERLAP_DEFAULT), Ok(()));
    let before = key.clone();
    assert_eq!(key.rotate(secret(5), at(22), KEY_OVERLAP_DEFAULT), Err(TooManySecrets));
    assert_eq!(key, before, "nothing has changed");
    assert_eq!(key.rotate(secret(5), at(23), Duration::ZERO), Ok(()));
    assert_eq!(key.secrets, [secret(5)]);
}

#[test]
fn a_key_is_refused_once_its_time_is_over() {
    let mut key = key(1);
    assert_eq!(key.judge(None, at(1_000_000)), Ok(()));
    key.expires_at = Some(at(100));
    assert_eq!(key.judge(None, at(99)), Ok(()));
    assert_eq!(key.judge(None, at(100)), Err(KeyRefusal::Expired(at(100))));
}

#[test]
fn a_key_with_ranges_is_refused_elsewhere_however_the_address_is_written() {
    let mut key = key(1);
    key.networks = ["10.0.0.0/8", "2001:db8::/32"]
        .map(|text| parse_network(text).expect("a range"))
        .into();
    for (text, is_within) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("11.0.0.1", false),
        ("2001:db8:1::1", true),
        ("2001:db9::1", false),
    ] {
        assert_eq!(key.judge(Some(address(text)), at(0)).is_ok(), is_within, "{text}");
    }
    assert_eq!(key.judge(None, at(0)), Err(KeyRefusal::Address));
}

#[test]
fn ranges_are_read_only_if_they_mean_one_thing() {
    for (text, expected) in [
        ("10.0.0.0/8", Some("10.0.0.0/8")),
        ("10.0.0.1", Some("10.0.0.1/32")),
        ("::ffff:10.0.0.1", Some("10.0.0.1/32")),
        ("::ffff:203.0.113.0/120", Some("203.0.113.0/24")),
        ("::ffff:0.0.0.0/96", Some("0.0.0.0/0")),
        ("::/0", Some("::/0")),
        ("2001:db8::/32", Some("2001:db8::/32")),
        ("2001:db8::1", Some("2001:db8::1/128")),
        ("10.0.0.1/8", None),
        ("10.0.0.0/33", None),
        ("10.0.0", None),
        ("", None),
    ] {
        let read = parse_network(text).map(|network| network.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }
}

#[test]
fn the_key_of_an_earlier_release_is_the_same_whoever_reads_it() {
    let tenant_id = TenantId::from_uuid(Uuid::from_u128(7));
    let carried = ApiKey::of_earlier_release(&tenant_id, vec![1; 32], at(5));
    assert_eq!(carried, ApiKey::of_earlier_release(&tenant_id, vec![1; 32], at(5)));
    assert_eq!((carried.scopes, carried.created_at), (Scopes::ALL, at(5)));
    assert_eq!(
        find_key(std::slice::from_ref(&carried), &[vec![1; 32]], at(9)),
        Some(&carried)
    );
}
