use dakghar_core::domain::ids::SignupConfigId;

use super::*;

const LONG: &str = "0123456789abcdef0123456789abcdef";

fn problems<const N: usize>(values: [(&str, &str); N]) -> Vec<String> {
    Config::load(&Environment::of(values)).err().unwrap_or_default()
}

fn load<const N: usize>(values: [(&str, &str); N]) -> Config {
    Config::load(&Environment::of(values)).expect("valid")
}

#[test]
fn an_empty_environment_is_the_embedded_backend_on_loopback() {
    let config = Config::load(&Environment::default()).expect("defaults are valid");
    assert!(!config.is_distributed());
    assert!(config.server.bind_addr.is_loopback());
    assert_eq!((config.server.port, config.meta.api_version.as_str()), (3000, "v25.0"));
    assert_eq!(config.warnings().len(), 2, "{:?}", config.warnings());
}

#[test]
fn production_lists_everything_that_is_missing_at_once() {
    let problems = problems([("APP_ENV", "production"), ("PORT", "x")]);
    for name in ["ADMIN_API_KEY", "APP_SECRET", "VERIFY_TOKEN", "MASTER_KEY", "PORT"] {
        assert!(
            problems.iter().any(|problem| problem.starts_with(name)),
            "{name}: {problems:?}"
        );
    }
}

#[test]
fn the_master_key_is_required_where_processes_share_it() {
    let found = problems([("MONGO_URI", "mongodb://localhost/x")]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(problems([("MONGO_URI", "mongodb://localhost/x"), ("MASTER_KEY", LONG)]).is_empty());
    assert!(problems([("MASTER_KEY", "short")])[0].contains("32 bytes"));
}

#[test]
fn beside_a_key_service_no_master_key_is_required() {
    let base = [("MONGO_URI", "mongodb://localhost/x"), ("VAULT_TOKEN", "s.x")];
    let with = |kms| problems([base[0], base[1], ("KMS", kms)]);
    assert!(with("vault:https://vault:8200/transit/dakghar").is_empty());
    for (kms, is_built) in [
        (
            "aws:arn:aws:kms:eu-central-1:111122223333:key/1234abcd",
            cfg!(feature = "kms-aws"),
        ),
        (
            "gcp:projects/p/locations/l/keyRings/r/cryptoKeys/k",
            cfg!(feature = "kms-gcp"),
        ),
    ] {
        let found = with(kms);
        assert_eq!(found.is_empty(), is_built, "{kms}: {found:?}");
        assert!(
            is_built || found[0].contains("KMS: this build of dakghar cannot use"),
            "{found:?}"
        );
    }
    assert!(problems([("GCP_KMS_ENDPOINT", "http://kms.internal")])[0].contains("GCP_KMS_ENDPOINT"));
}

#[test]
fn the_seeds_old_graph_version_is_used_and_warned_about() {
    let config = Config::load(&Environment::of([("WHATSAPP_API_VERSION", "v20.0")])).expect("valid");
    assert_eq!(config.meta.api_version, "v20.0");
    assert!(
        config.warnings().iter().any(|warning| warning.contains("expired")),
        "{:?}",
        config.warnings()
    );
    assert!(!problems([("WHATSAPP_API_VERSION", "25")]).is_empty());
}

#[test]
fn a_secret_comes_from_its_variable_or_its_file_but_not_both() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("key");
    std::fs::write(&path, format!("{LONG}\n")).expect("write");
    let path = path.to_str().expect("UTF-8");
    let config = Config::load(&Environment::of([("MASTER_KEY_FILE", path)])).expect("valid");
    assert_eq!(config.keys.master_key.expect("read").reveal(), LONG);
    std::fs::write(path, format!("\u{feff}{LONG}\r\n")).expect("write");
    let config = Config::load(&Environment::of([("MASTER_KEY_FILE", path)])).expect("valid");
    assert_eq!(
        config.keys.master_key.expect("read").reveal(),
        LONG,
        "with a mark of its encoding"
    );
    assert!(problems([("MASTER_KEY", LONG), ("MASTER_KEY_FILE", path)])[0].contains("both set"));
    assert!(problems([("MASTER_KEY_FILE", "/nowhere")])[0].contains("/nowhere"));
}

#[test]
fn an_empty_or_blank_secret_is_refused() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("write");
        path.to_str().expect("UTF-8").to_owned()
    };
    for (name, text) in [("empty", ""), ("blank", " \n"), ("line", "\n")] {
        let found = problems([("APP_SECRET_FILE", &file(name, text))]);
        assert!(
            found.len() == 1 && found[0].starts_with("APP_SECRET_FILE: "),
            "{found:?}"
        );
    }
    for name in ["ADMIN_API_KEY", "APP_SECRET", "VERIFY_TOKEN", "MASTER_KEY"] {
        for text in [" ", "                    ", "\t\n", "\u{a0}\u{2003}"] {
            let found = problems([(name, text)]);
            let expected = [format!("{name} consists of blanks only")];
            assert_eq!(found, expected, "{text:?}");
        }
    }
    for text in ["secret\n", " secret", "sec\nret"] {
        let found = problems([("APP_SECRET", text)]);
        assert!(found.len() == 1 && found[0].starts_with("APP_SECRET must"), "{found:?}");
    }
    let found = problems([("ADMIN_API_KEY", "0123456789abcdéf")]);
    assert!(found.len() == 1 && found[0].contains("ASCII"), "{found:?}");
    assert!(problems([("APP_SECRET_FILE", "")]).is_empty());
}

#[test]
fn a_line_that_cannot_be_read_is_not_shown() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("env");
    std::fs::write(&path, "PORT=3000\nAPP_SECRET=canary secret\n").expect("write");
    let read: Result<Vec<_>, _> = dotenvy::from_path_iter(&path).expect("a file").collect();
    let problem = environment::unreadable(read.expect_err("a space without quotes"));
    assert!(
        problem.starts_with(".env: a line") && !problem.contains("canary"),
        "{problem}"
    );
}

#[test]
fn a_file_for_what_is_not_read_from_one_is_not_ignored() {
    let found = problems([("DATA_DIR_FILE", "/nowhere")]);
    assert!(found.len() == 1 && found[0].starts_with("DATA_DIR_FILE"), "{found:?}");
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("uri");
    std::fs::write(&path, "mongodb://h/x\n").expect("write");
    let path = path.to_str().expect("UTF-8");
    let config = Config::load(&Environment::of([("MONGO_URI_FILE", path), ("MASTER_KEY", LONG)]));
    assert!(config.expect("valid").is_distributed());
}

#[test]
fn what_is_wrong_about_redis_is_told_where_it_is_used() {
    let distributed = |name, value| {
        let settings = [("MONGO_URI", "mongodb://h/x"), ("MASTER_KEY", LONG), (name, value)];
        problems(settings)
    };
    let (bad_url, canary) = ("http://:canary-redis@h", "canary-redis");
    let found = distributed("REDIS_URL", bad_url);
    assert!(
        found.len() == 1 && found[0].starts_with("REDIS_URL: ") && !found[0].contains(canary),
        "{found:?}"
    );
    assert!(
        problems([("REDIS_URL", bad_url)]).is_empty(),
        "the embedded backend has no Redis"
    );
    let found = distributed("REDIS_URL", "redis://one,redis://two");
    assert!(found[0].contains("QUEUE_SHARDS of at least 2"), "{found:?}");
    for (path, problem) in [("/nowhere", "/nowhere"), ("/dev/null", "rediss://")] {
        let found = distributed("REDIS_CA_FILE", path);
        assert!(
            found[0].starts_with("REDIS_CA_FILE: ") && found[0].contains(problem),
            "{found:?}"
        );
    }
}

#[test]
fn a_lease_that_a_call_could_outlive_is_refused() {
    let found = problems([("SEND_LEASE_MS", "30000")]);
    assert!(found[0].starts_with("SEND_LEASE_MS"), "{found:?}");
}

#[test]
fn in_development_callbacks_reach_this_machine() {
    let code = |config: &Config, url: &str| {
        config
            .callbacks
            .rules
            .parse(url)
            .err()
            .map(|fault| fault.code().as_str())
    };
    let config = load([]);
    for url in [
        "http://localhost:4000/hook",
        "https://127.0.0.1:9/",
        "http://example.com/",
    ] {
        assert_eq!(code(&config, url), None, "{url}");
    }
    // Where this process listens itself.
    for url in [
        "http://localhost:3000/",
        "http://127.0.0.1:9464/metrics",
        "http://10.0.0.1/",
    ] {
        assert_eq!(code(&config, url), Some("forbidden_url"), "{url}");
    }
}

#[test]
fn in_production_callbacks_reach_the_public_internet_and_what_the_operator_opens() {
    let code = |config: &Config, url: &str| {
        config
            .callbacks
            .rules
            .parse(url)
            .err()
            .map(|fault| fault.code().as_str())
    };
    let production = [
        ("APP_ENV", "production"),
        ("ADMIN_API_KEY", "0123456789abcdef"),
        ("APP_SECRET", "secret"),
        ("VERIFY_TOKEN", "token"),
        ("MASTER_KEY", LONG),
        ("PUBLIC_URL", "https://Gateway.example.org/x"),
    ];
    let config = Config::load(&Environment::of(production)).expect("valid");
    for (url, expected) in [
        ("https://example.com/", None),
        ("https://example.com:8443/", None),
        ("http://example.com/", Some("https_required")),
        ("https://example.com:4000/", Some("invalid_url")),
        ("https://localhost/", Some("forbidden_url")),
        ("https://127.0.0.1/", Some("forbidden_url")),
        ("https://10.1.0.1/", Some("forbidden_url")),
        ("https://gateway.example.org:8443/", Some("forbidden_url")),
    ] {
        assert_eq!(code(&config, url), expected, "{url}");
    }
    assert_eq!(config.warnings(), Vec::<String>::new());
    let opened = [
        ("CALLBACK_ALLOW_CIDRS", "10.1.0.0/16, 127.0.0.1"),
        ("CALLBACK_PORTS", "443, 4000"),
        ("CALLBACK_ALLOW_HTTP", "yes"),
        ("CALLBACK_TIMEOUT_MS", "2000"),
    ];
    let all: Vec<_> = production.into_iter().chain(opened).collect();
    let config = Config::load(&Environment::of(all)).expect("valid");
    for (url, expected) in [
        ("https://10.1.0.1:4000/", None),
        ("http://10.1.0.1/", None),
        ("https://127.0.0.1/", None),
        ("https://127.0.0.2/", Some("forbidden_url")),
        ("https://10.2.0.1/", Some("forbidden_url")),
        ("https://example.com:8443/", Some("invalid_url")),
    ] {
        assert_eq!(code(&config, url), expected, "{url}");
    }
    assert_eq!(config.callbacks.timeout.as_millis(), 2_000);
    assert!(
        config.warnings()[0].starts_with("CALLBACK_ALLOW_HTTP"),
        "{:?}",
        config.warnings()
    );
}

#[test]
fn wrong_settings_of_callbacks_are_told() {
    for (name, value) in [
        ("CALLBACK_ALLOW_CIDRS", "10.0.0.0/33"),
        ("CALLBACK_ALLOW_CIDRS", "internal"),
        ("CALLBACK_PORTS", "https"),
        ("CALLBACK_PORTS", "443,,8443"),
        ("CALLBACK_PORTS", "0"),
        ("CALLBACK_ALLOW_HTTP", "true"),
        ("CALLBACK_TIMEOUT_MS", "60001"),
        ("CALLBACK_CA_FILE", "/nowhere"),
    ] {
        let found = problems([(name, value)]);
        assert!(
            found.len() == 1 && found[0].starts_with(name),
            "{name}={value}: {found:?}"
        );
    }
}

#[test]
fn debugging_the_settings_shows_no_secret() {
    let values = [
        ("MASTER_KEY", LONG),
        ("ADMIN_API_KEY", "canary-admin-key-1"),
        ("APP_SECRET", "canary-app"),
        ("MONGO_URI", "mongodb://user:canary-mongo@h/x"),
        ("REDIS_URL", "redis://:canary-redis@h"),
    ];
    let shown = format!("{:?}", Config::load(&Environment::of(values)).expect("valid"));
    assert!(!shown.contains("canary") && !shown.contains(LONG), "{shown}");
}

#[test]
fn the_example_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.env.example");
    let fresh = variables::env_example();
    if Environment::of_process().is_ok_and(|environment| environment.is_updating_golden()) {
        std::fs::write(path, &fresh).expect("write .env.example");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(committed, fresh, "run UPDATE_GOLDEN=1 cargo test -p dakghar");
}

#[test]
fn an_address_for_metrics_that_somebody_chose_is_told_from_the_default() {
    let read = |values: &[(&str, &str)]| match values {
        [] => Config::load(&Environment::default()),
        [one, ..] => Config::load(&Environment::of([*one])),
    };
    let of = |values: &[(&str, &str)]| read(values).expect("valid").server.metrics;
    let default: std::net::SocketAddr = "127.0.0.1:9464".parse().expect("an address");
    assert_eq!(of(&[]), MetricsAddr::Default(default));
    assert_eq!(of(&[("METRICS_ADDR", "127.0.0.1:9464")]), MetricsAddr::Chosen(default));
    assert_eq!(of(&[("METRICS_ADDR", "off")]), MetricsAddr::Off);
    for wrong in ["9464", "localhost:9464", "127.0.0.1", "on"] {
        let found = problems([("METRICS_ADDR", wrong)]);
        assert!(
            found.len() == 1 && found[0].starts_with("METRICS_ADDR"),
            "{wrong}: {found:?}"
        );
    }
}

#[test]
fn nothing_can_be_kept_for_less_than_its_idempotency_key_must_guard() {
    for few in ["1", "29"] {
        let found = problems([("RETENTION_DAYS", few)]);
        assert_eq!(found, ["RETENTION_DAYS must be 0 or at least 30"], "{few}");
    }
    for enough in ["0", "30"] {
        assert!(problems([("RETENTION_DAYS", enough)]).is_empty(), "{enough}");
    }
}

#[test]
fn without_a_check_of_signatures_the_server_is_for_this_machine_only() {
    const KEY: (&str, &str) = ("ADMIN_API_KEY", "0123456789abcdef");
    const SECRET: (&str, &str) = ("APP_SECRET", "secret");
    let guarded = load([KEY]);
    assert!(guarded.server.bind_addr.is_loopback() && guarded.takes_unsigned_webhooks());
    let says = |config: &Config, what: &str| config.warnings().iter().any(|warning| warning.contains(what));
    assert!(says(&guarded, "only this machine"), "{:?}", guarded.warnings());

    let elsewhere = load([KEY, ("BIND_ADDR", "0.0.0.0")]);
    assert!(!elsewhere.takes_unsigned_webhooks());
    assert!(
        says(&elsewhere, "every webhook is refused"),
        "{:?}",
        elsewhere.warnings()
    );

    let whole = load([KEY, SECRET]);
    assert!(!whole.server.bind_addr.is_loopback() && !whole.takes_unsigned_webhooks());
    assert!(whole.warnings().is_empty(), "{:?}", whole.warnings());
}

#[test]
fn health_is_asked_on_this_machine_and_needs_no_secret() {
    let addr =
        |values: [(&str, &str); 2]| health_addr(&Environment::of(values)).map(|at| format!("{} {}", at.addr, at.tls));
    for (bind, port, expected) in [
        ("", "", "127.0.0.1:3000 false"),
        ("0.0.0.0", "80", "127.0.0.1:80 false"),
        ("::", "80", "[::1]:80 false"),
        ("10.0.0.7", "80", "10.0.0.7:80 false"),
    ] {
        let found = addr([("BIND_ADDR", bind), ("PORT", port)]);
        assert_eq!(found.as_deref(), Ok(expected));
    }
    assert_eq!(
        addr([("APP_ENV", "production"), ("PORT", "80")]).as_deref(),
        Ok("127.0.0.1:80 false")
    );
    for (other, value, expected) in [
        ("TLS_CERT_FILE", "/nowhere", "127.0.0.1:80 true"),
        ("HEALTH_ADDR", "0.0.0.0:9465", "127.0.0.1:9465 false"),
    ] {
        assert_eq!(addr([(other, value), ("PORT", "80")]).as_deref(), Ok(expected));
    }
    let both = addr([("TLS_CERT_FILE", "/nowhere"), ("HEALTH_ADDR", "[::]:9465")]);
    assert_eq!(both.as_deref(), Ok("[::1]:9465 false"), "it is plain there");
    let problems = addr([("HEALTH_ADDR", "0.0.0.0:0"), ("PORT", "80")]).expect_err("nobody knows it");
    assert!(problems[0].starts_with("HEALTH_ADDR"), "{problems:?}");
    let problems = addr([("BIND_ADDR", "x"), ("PORT", "0")]).expect_err("two problems");
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn the_onboarding_page_needs_a_url() {
    assert!(load([]).signups.page.is_none());
    assert!(
        load([("SIGNUP_CONFIG_ID", "7")]).signups.page.is_none(),
        "nobody knows its URL"
    );
    let config = load([("SIGNUP_CONFIG_ID", "7"), ("PUBLIC_URL", "https://example.com/wa/")]);
    let page = config.signups.page.expect("it is set up");
    let config_id = page.config_id.as_ref().map(SignupConfigId::as_str);
    assert_eq!((&*page.base, config_id), ("https://example.com/wa", Some("7")));
    assert_eq!((&*page.extras, &*page.api_version), (r#"{"setup":{}}"#, "v25.0"));
    assert!(page.other_sdk.is_none());
    // An app that was added may have a configuration of its own.
    let page = load([("PUBLIC_URL", "https://example.com")]).signups.page;
    assert_eq!(page.expect("it has a URL").config_id, None);
    let unusable = load([("PUBLIC_URL", "https://example.com/?x")]).signups.page;
    assert!(unusable.is_none(), "nobody asked for the page");
    for (name, value, problem) in [
        ("SIGNUP_CONFIG_ID", "x", "SIGNUP_CONFIG_ID must be"),
        ("SIGNUP_DIALOG_EXTRAS", "[]", "SIGNUP_DIALOG_EXTRAS must be"),
        ("SIGNUP_DIALOG_EXTRAS", "{", "SIGNUP_DIALOG_EXTRAS must be"),
        ("SIGNUP_SDK_URL", "sdk.js", "SIGNUP_SDK_URL must be"),
        ("PUBLIC_URL", "example.com", "PUBLIC_URL must be"),
        ("PUBLIC_URL", "https://example.com/?x", "PUBLIC_URL must be"),
    ] {
        let fine = [("SIGNUP_CONFIG_ID", "7"), ("PUBLIC_URL", "https://example.com")];
        let all = fine
            .into_iter()
            .filter(|(known, _)| *known != name)
            .chain([(name, value)]);
        let all: Vec<_> = all.collect();
        let found = Config::load(&Environment::of(all)).err().unwrap_or_default();
        assert!(
            found.len() == 1 && found[0].starts_with(problem),
            "{name}={value}: {found:?}"
        );
    }
}

#[test]
fn another_sdk_is_for_development_and_is_told_of() {
    let sdk = ("SIGNUP_SDK_URL", "http://localhost:4010/_sim/sdk.js");
    let config = load([("SIGNUP_CONFIG_ID", "7"), ("PUBLIC_URL", "http://localhost:3000"), sdk]);
    let is_told = |warning: &String| warning.starts_with("SIGNUP_SDK_URL") && warning.contains("http://localhost:4010");
    assert!(config.warnings().iter().any(is_told), "{:?}", config.warnings());
    let found = problems([
        ("APP_ENV", "production"),
        ("ADMIN_API_KEY", LONG),
        ("APP_SECRET", LONG),
        ("VERIFY_TOKEN", LONG),
        ("MASTER_KEY", LONG),
        sdk,
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("must not be set in production"), "{found:?}");
}
