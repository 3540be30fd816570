//! Where a URL leads: its literal address, and each address of its name.

use super::*;

#[tokio::test]
async fn a_name_is_looked_up_once_and_called_where_it_led_then() {
    let receiver = Receiver::start([]).await;
    // Whoever looked a second time would go elsewhere.
    let names = Names::leading_to(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let receivers = receivers(development(), &names);
    let url = format!("http://receiver.localhost:{}/hook", receiver.port());
    assert_eq!(outcome(&receivers, &url).await, answered(200));
    assert_eq!(names.asked(), ["receiver.localhost"]);
    let host = format!("receiver.localhost:{}", receiver.port());
    assert_eq!(receiver.requests()[0].header("host"), Some(&*host));
}

/// A connection that is kept leads to an address that was checked, whatever the name says meanwhile. Another one is not made
/// to where the name leads now.
#[tokio::test]
async fn a_kept_connection_stays_where_it_was_checked_and_a_new_one_is_checked_anew() {
    // On a machine that stands still a connection is not kept for long enough: then the next call is a new one.
    for _ in 0..20 {
        let last = Reply::answer(200, "connection: close\r\n", b"");
        let receiver = Receiver::start([Reply::answer(200, "", b""), last]).await;
        let names = Names::leading_to(&[&["127.0.0.1"], &["169.254.169.254"]]);
        let receivers = receivers(development(), &names);
        let url = format!("http://receiver.localhost:{}/hook", receiver.port());
        assert_eq!(outcome(&receivers, &url).await, answered(200));
        let second = outcome(&receivers, &url).await;
        let was_kept = second == answered(200);
        if was_kept {
            assert_eq!((receiver.connections(), names.asked().len()), (1, 1));
            // The receiver has it closed, and the name leads elsewhere by now.
            assert_eq!(outcome(&receivers, &url).await, failed(CallbackFailure::Blocked));
        } else {
            assert_eq!(second, failed(CallbackFailure::Blocked));
        }
        assert_eq!((receiver.connections(), names.asked().len()), (1, 2));
        if was_kept {
            return;
        }
    }
    panic!("no connection was kept");
}

/// Whoever has a name of his own that leads to a stranger's receiver gets no connection that was made for the stranger's.
#[tokio::test]
async fn a_kept_connection_is_for_its_name_only() {
    let receiver = Receiver::start([]).await;
    let names = Names::leading_to(&[&["127.0.0.1"]]);
    let receivers = receivers(development(), &names);
    for (calls, name) in ["one.localhost", "other.localhost"].into_iter().enumerate() {
        let url = format!("http://{name}:{}/hook", receiver.port());
        assert_eq!(outcome(&receivers, &url).await, answered(200));
        let host = format!("{name}:{}", receiver.port());
        assert_eq!(receiver.requests()[calls].header("host"), Some(&*host));
    }
    assert_eq!(
        (receiver.connections(), names.asked()),
        (2, vec!["one.localhost".to_owned(), "other.localhost".to_owned()])
    );
}

#[tokio::test]
async fn a_name_that_was_public_when_it_was_saved_and_is_private_now_is_not_called() {
    let receiver = Receiver::start([]).await;
    let rules = CallbackRules {
        allows_http: true,
        ports: vec![receiver.port()],
        ..CallbackRules::default()
    };
    let names = Names::leading_to(&[&["127.0.0.1"], &["8.8.8.8"]]);
    let receivers = receivers(rules.clone(), &names);
    let url = format!("http://rebound.example:{}/", receiver.port());
    assert!(rules.parse(&url).is_ok(), "it may be saved");
    assert_eq!(outcome(&receivers, &url).await, failed(CallbackFailure::Blocked));
    assert_eq!(names.asked().len(), 1, "nobody waits for an answer that would do");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn one_private_address_among_public_ones_blocks_the_name() {
    let receiver = Receiver::start([]).await;
    let rules = CallbackRules {
        allows_http: true,
        ports: vec![receiver.port()],
        allowed_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..CallbackRules::default()
    };
    for others in [
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "fd00:ec2::254",
        "0.0.0.0",
    ] {
        // What would answer stands first, and then last.
        for answer in [["127.0.0.1", others], [others, "127.0.0.1"]] {
            let receivers = receivers(rules.clone(), &Names::leading_to(&[&answer]));
            let url = format!("http://mixed.example:{}/", receiver.port());
            assert_eq!(
                outcome(&receivers, &url).await,
                failed(CallbackFailure::Blocked),
                "{answer:?}"
            );
        }
    }
    assert_eq!(receiver.connections(), 0);
    let receivers = receivers(rules, &Names::leading_to(&[&["127.0.0.1", "127.0.0.1"]]));
    let url = format!("http://plain.example:{}/", receiver.port());
    assert_eq!(outcome(&receivers, &url).await, answered(200));
}

#[tokio::test]
async fn a_name_that_is_not_found_is_told_as_such() {
    let receivers = receivers(development(), &Names::leading_to(&[]));
    let outcome = outcome(&receivers, "http://nowhere.example:8443/").await;
    assert_eq!(outcome, failed(CallbackFailure::Dns));
}

/// The resolver is never asked about these.
#[tokio::test]
async fn a_literal_address_is_checked_at_each_call() {
    let receiver = Receiver::start([]).await;
    let rules = CallbackRules {
        allows_http: true,
        ports: vec![receiver.port()],
        ..CallbackRules::default()
    };
    let names = Names::leading_to(&[&["8.8.8.8"]]);
    let receivers = receivers(rules, &names);
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
    ] {
        let url = format!("http://{host}:{}/", receiver.port());
        assert_eq!(
            outcome(&receivers, &url).await,
            failed(CallbackFailure::Blocked),
            "{host}"
        );
    }
    assert_eq!((receiver.connections(), names.asked().len()), (0, 0));
}

/// A URL that was saved under other settings.
#[tokio::test]
async fn the_rules_of_today_hold_for_urls_of_yesterday() {
    let receiver = Receiver::start([]).await;
    let url = receiver.url();
    for rules in [
        CallbackRules {
            allows_http: false,
            ..development()
        },
        CallbackRules {
            allows_loopback: false,
            ..development()
        },
        CallbackRules {
            own_sockets: vec![format!("127.0.0.1:{}", receiver.port()).parse().unwrap()],
            ..development()
        },
    ] {
        let receivers = receivers(rules, &Names::leading_to(&[]));
        assert_eq!(outcome(&receivers, &url).await, failed(CallbackFailure::Blocked));
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_that_leads_to_this_installation_is_blocked() {
    let (own, other) = (Receiver::start([]).await, Receiver::start([]).await);
    let rules = CallbackRules {
        own_sockets: vec![format!("0.0.0.0:{}", own.port()).parse().unwrap()],
        ..development()
    };
    let receivers = receivers(rules, &Names::leading_to(&[&["127.0.0.1"]]));
    let url = |port: u16| format!("http://me.localhost:{port}/");
    assert_eq!(outcome(&receivers, &url(other.port())).await, answered(200));
    assert_eq!(
        outcome(&receivers, &url(own.port())).await,
        failed(CallbackFailure::Blocked)
    );
    assert_eq!(own.connections(), 0);
}
