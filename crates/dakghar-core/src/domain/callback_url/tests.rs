use super::*;

fn production() -> CallbackRules {
    CallbackRules {
        own_hosts: vec!["gateway.example.org".into()],
        own_sockets: vec!["[::]:8443".parse().unwrap()],
        ..CallbackRules::default()
    }
}

fn development() -> CallbackRules {
    CallbackRules {
        allows_http: true,
        allows_loopback: true,
        own_sockets: vec!["127.0.0.1:3000".parse().unwrap()],
        ..CallbackRules::default()
    }
}

fn code(rules: &CallbackRules, text: &str) -> &'static str {
    match rules.parse(text) {
        Ok(_) => "passes",
        Err(fault) => {
            let problem = fault.problem("/url");
            assert!(!problem.detail.contains("canary"), "{problem:?}");
            problem.code.as_str()
        }
    }
}

#[test]
fn a_url_of_the_public_internet_passes_and_is_kept_in_one_spelling() {
    for (text, kept) in [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/a?b=c%20d", "https://example.com/a?b=c%20d"),
        (
            "https://hooks.example.com:8443/w/@x?to=a@b",
            "https://hooks.example.com:8443/w/@x?to=a@b",
        ),
        (
            "https://bücher.example/ছবি",
            "https://xn--bcher-kva.example/%E0%A6%9B%E0%A6%AC%E0%A6%BF",
        ),
        // Cyrillic letters that look like Latin ones are shown for what they are.
        ("https://аррӏе.com/", "https://xn--80ak6aa92e.com/"),
        ("https://example。com/", "https://example.com/"),
        ("https://ⓔxample.com/", "https://example.com/"),
        ("https://8.8.8.8/a", "https://8.8.8.8/a"),
        ("https://0x08080808/a", "https://8.8.8.8/a"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
        ("https://a_b.example.com/", "https://a_b.example.com/"),
        ("https://notlocal.example/", "https://notlocal.example/"),
        ("https://local.example/", "https://local.example/"),
    ] {
        let url = production()
            .parse(text)
            .unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(url.as_str(), kept);
        assert_eq!(production().parse(kept).as_ref(), Ok(&url), "{kept}");
    }
}

#[test]
fn http_is_for_where_it_is_allowed() {
    assert_eq!(code(&production(), "http://example.com/"), "https_required");
    assert_eq!(code(&production(), "HTTP://example.com:443/"), "https_required");
    assert_eq!(code(&development(), "http://example.com/"), "passes");
    assert_eq!(code(&development(), "http://example.com:8443/"), "passes");
    assert_eq!(code(&development(), "https://example.com:80/"), "invalid_url");
}

/// What has no meaning, or more than one.
const NO_PLAIN_URLS: &[&str] = &[
    "",
    "canary",
    "/canary",
    "//example.com/canary",
    "https:",
    "https://",
    "https:///hook",
    "https:example.com",
    "https:/example.com",
    "ftp://example.com/canary",
    "file:///etc/passwd",
    "gopher://example.com/",
    "unix:/run/docker.sock",
    "javascript:alert(1)",
    "data:text/plain,canary",
    "https://user@example.com/",
    "https://user:canary@example.com/",
    "https://:canary@example.com/",
    "https://@example.com/",
    "https://:@example.com/",
    "https://a@b@example.com/",
    "https://example.com\\@evil.example/",
    "https://example.com\\a",
    "https:\\\\example.com/",
    "https://example.com/#canary",
    "https://example.com/#",
    "https://example.com/a b",
    " https://example.com/",
    "https://example.com/\n",
    "https://exam\tple.com/",
    "https://exam\u{0}ple.com/",
    "https://example.com:22/",
    "https://example.com:80/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:+443/",
    "https://example.com:443:443/",
    "https://example.com./",
    "https://example..com/",
    "https://-a.example.com/",
    "https://xn--zz--.example/",
    "https://exa mple.com/",
    "https://exa%00mple.com/",
    "https://[::1/",
    "https://[::1]x/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[1.2.3.4]/",
    "https://1.2.3.4.5/",
    "https://256.256.256.256/",
    "https://a.0x7f/",
    "https://09.1.1.1/",
];

#[test]
fn what_is_no_plain_url_is_refused() {
    let long = format!("https://example.com/{}", "a".repeat(CALLBACK_URL_BYTES_MAX));
    let grows = format!("https://example.com/{}", "ছ".repeat(CALLBACK_URL_BYTES_MAX / 4));
    let label = format!("https://{}.example/", "a".repeat(64));
    let host = format!("https://{}example/", "a.".repeat(127));
    let made = [long.as_str(), &grows, &label, &host];
    for text in NO_PLAIN_URLS.iter().copied().chain(made) {
        assert_eq!(code(&production(), text), "invalid_url", "{text}");
    }
}

#[test]
fn private_addresses_are_refused_in_every_spelling() {
    for host in [
        // One address, as every parser of addresses spells it.
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "0177.0x0.0.1",
        "127.0.0.1.",
        "127.0.0.01",
        "１２７.０.０.１",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "127%2e0%2e0%2e1",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        // One of each kind; the table of ranges has its own test.
        "0.0.0.0",
        "0",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "172.31.255.255",
        "192.168.1.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001::1]",
        "[2001:db8::1]",
        "[3fff::1]",
    ] {
        assert_eq!(
            code(&production(), &format!("https://{host}/a")),
            "forbidden_url",
            "{host}"
        );
        let code = code(&production(), &format!("https://{host}:8443/"));
        assert_eq!(code, "forbidden_url", "{host}");
    }
}

#[test]
fn names_of_this_machine_and_of_inner_networks_are_refused() {
    for host in [
        "localhost",
        "LOCALHOST",
        "ｌocalhost",
        "a.localhost",
        "router",
        "printer.local",
        "metadata.google.internal",
        "api.svc.cluster.local",
        "host.docker.internal",
        "nas.lan",
        "gateway.home.arpa",
        "host.localdomain",
    ] {
        assert_eq!(
            code(&production(), &format!("https://{host}/a")),
            "forbidden_url",
            "{host}"
        );
    }
}

#[test]
fn this_installation_is_refused() {
    let rules = CallbackRules {
        allowed_networks: vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.0/8".parse().unwrap()],
        own_sockets: vec!["10.0.0.7:8443".parse().unwrap(), "0.0.0.0:443".parse().unwrap()],
        ..production()
    };
    for (host, expected) in [
        ("gateway.example.org", "forbidden_url"),
        ("GATEWAY.example.org:8443", "forbidden_url"),
        ("other.example.org", "passes"),
        ("10.0.0.7:8443", "forbidden_url"),
        ("[::ffff:10.0.0.7]:8443", "forbidden_url"),
        ("10.0.0.7:443", "passes"),
        ("10.0.0.8:8443", "passes"),
        ("127.0.0.1", "forbidden_url"),
        ("127.0.0.2", "forbidden_url"),
        ("127.0.0.1:8443", "passes"),
    ] {
        assert_eq!(code(&rules, &format!("https://{host}/")), expected, "{host}");
    }
    let of_address = CallbackRules {
        own_hosts: vec![host_of("https://0x08080808:8443/webhook").unwrap()],
        ..production()
    };
    assert_eq!(code(&of_address, "https://8.8.8.8/"), "forbidden_url");
    assert_eq!(
        host_of("https://BÜCHER.example/x").as_deref(),
        Some("xn--bcher-kva.example")
    );
    assert_eq!(
        (host_of("gateway.example.org"), host_of("ftp://a.example")),
        (None, None)
    );
    assert_eq!(code(&development(), "http://localhost:3000/"), "forbidden_url");
    assert_eq!(code(&development(), "http://127.0.0.1:3000/"), "forbidden_url");
}

#[test]
fn in_development_this_machine_may_be_called_on_every_port() {
    for host in [
        "localhost:4000",
        "127.0.0.1:9",
        "[::1]:1",
        "[::ffff:127.0.0.1]:65535",
        "a.localhost:22",
        "2130706433:4",
    ] {
        assert_eq!(code(&development(), &format!("http://{host}/")), "passes", "{host}");
        assert_eq!(code(&development(), &format!("https://{host}/")), "passes", "{host}");
    }
    for host in [
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::]",
        "[fe80::1]",
        "router",
        "a.internal",
    ] {
        assert_eq!(
            code(&development(), &format!("http://{host}/")),
            "forbidden_url",
            "{host}"
        );
    }
    assert_eq!(code(&development(), "http://example.com:4000/"), "invalid_url");
}

#[test]
fn the_operator_may_open_networks() {
    let rules = CallbackRules {
        allowed_networks: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()],
        ..production()
    };
    for (host, expected) in [
        ("10.1.0.0", "passes"),
        ("10.1.255.255", "passes"),
        ("[::ffff:10.1.2.3]", "passes"),
        ("[64:ff9b::10.1.2.3]", "passes"),
        ("10.0.255.255", "forbidden_url"),
        ("10.2.0.0", "forbidden_url"),
        ("[fd00::1]", "passes"),
        ("[fc00::1]", "forbidden_url"),
        ("receiver", "passes"),
        ("receiver.svc.cluster.local", "passes"),
        ("localhost", "forbidden_url"),
        ("10.1.0.0:22", "invalid_url"),
    ] {
        assert_eq!(code(&rules, &format!("https://{host}/")), expected, "{host}");
    }
}

#[test]
fn an_address_is_checked_as_a_literal_is() {
    let check = |rules: &CallbackRules, text: &str| rules.check_address(text.parse().unwrap());
    assert_eq!(check(&production(), "1.1.1.1:443"), Ok(()));
    assert_eq!(check(&production(), "127.0.0.1:443"), Err(ForbiddenAddress("loopback")));
    assert_eq!(
        check(&production(), "[::ffff:10.0.0.1]:443"),
        Err(ForbiddenAddress("a private network"))
    );
    assert_eq!(check(&development(), "[::1]:443"), Ok(()));
    assert!(check(&development(), "127.0.0.1:3000").is_err());
    assert!(check(&development(), "10.0.0.1:443").is_err());
}

#[test]
fn debugging_a_url_shows_its_host_only() {
    let url = production().parse("https://example.com/canary?token=canary").unwrap();
    assert_eq!(format!("{url:?}"), "https://example.com");
    assert_eq!((url.port(), url.literal_address()), (443, None));
    let url = production().parse("https://0x08080808:8443").unwrap();
    assert_eq!((url.port(), url.literal_address()), (8443, Some([8, 8, 8, 8].into())));
}
