//! TLS of a listener: what is spoken, under which identity, and the limits that hold for it too.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::routing::get;
use dakghar_core::domain::Secret;
use dakghar_core::metrics::Metrics;
use dakghar_server::http::{HttpConfig, Identity, IdentityError, Tls};
use dakghar_testkit::receiver::{Authority, Flaw};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};

use crate::sockets::{PATIENCE, Server, read_to_end, read_until, start, start_counted};

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

fn pem_of(authority: &Authority, flaw: Flaw) -> (Vec<u8>, Secret) {
    let (chain, key) = authority.certificate(flaw);
    let key = std::fs::read_to_string(key).expect("a key");
    (std::fs::read(chain).expect("a chain"), Secret::new(key))
}

fn identity(authority: &Authority, flaw: Flaw) -> Identity {
    let (chain, key) = pem_of(authority, flaw);
    Identity::from_pem(&chain, &key).expect("they belong together")
}

/// A client that believes these authorities.
fn client(
    authorities: &[&Authority],
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        let root = CertificateDer::from_pem_slice(&authority.pem()).expect("a certificate");
        roots.add(root).expect("an authority");
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let mut config = config
        .expect("known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn shake(connector: &TlsConnector, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").expect("a name");
    connector.connect(name, stream).await
}

/// Starts a server that speaks TLS, and whose own client does.
pub(crate) async fn start_tls(router: Router, config: HttpConfig) -> Server {
    let authority = Authority::new();
    let tls = Some(Tls::new(identity(&authority, Flaw::None)));
    let mut server = start(router, HttpConfig { tls, ..config }).await;
    server.secure = Some(client(&[&authority], &[&TLS13], &[]));
    server
}

fn healthy() -> Router {
    Router::new().route("/healthz", get(async || "ok"))
}

/// A server, its identity, and who vouches for it.
async fn started(config: HttpConfig) -> (Server, Tls, Authority) {
    let authority = Authority::new();
    let tls = Tls::new(identity(&authority, Flaw::None));
    let config = HttpConfig {
        tls: Some(tls.clone()),
        ..config
    };
    (start(healthy(), config).await, tls, authority)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_and_both_protocols_are_spoken() {
    let (server, _, authority) = started(HttpConfig::default()).await;
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for (wanted, agreed) in [
            (&[b"h2".as_slice(), b"http/1.1"][..], Some(b"h2".as_slice())),
            (&[b"http/1.1"], Some(b"http/1.1")),
            (&[], None),
        ] {
            let connector = client(&[&authority], &[version], wanted);
            let mut stream = shake(&connector, server.connect().await).await.expect("a handshake");
            let (_, session) = stream.get_ref();
            assert_eq!(
                (session.protocol_version(), session.alpn_protocol()),
                (Some(name), agreed)
            );
            if agreed != Some(b"h2") {
                stream.write_all(GET).await.expect("written");
                let answer = read_to_end(&mut stream).await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                assert!(!answer.contains("strict-transport-security"), "{answer}");
            }
        }
    }
    // A certificate is shown, so a stranger to its authority turns away.
    let stranger = client(&[&Authority::new()], &[&TLS13], &[]);
    assert!(shake(&stranger, server.connect().await).await.is_err());
}

/// rustls has no older versions, so the client is OpenSSL's.
#[tokio::test(flavor = "multi_thread")]
async fn tls_before_1_2_is_refused() {
    let (server, _, _authority) = started(HttpConfig::default()).await;
    for (version, is_spoken) in [
        ("-tls1", false),
        ("-tls1_1", false),
        ("-tls1_2", true),
        ("-tls1_3", true),
    ] {
        let addr = server.addr.to_string();
        let asked = tokio::task::spawn_blocking(move || {
            Command::new("openssl")
                .args(["s_client", "-connect", &addr, version, "-cipher", "DEFAULT:@SECLEVEL=0"])
                .stdin(std::process::Stdio::null())
                .output()
                .expect("openssl runs")
        });
        let output = asked.await.expect("joined");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.contains("BEGIN CERTIFICATE"), is_spoken, "{version}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_and_the_first_byte_have_one_time_limit() {
    let config = HttpConfig {
        header_read_timeout: Duration::from_millis(400),
        ..HttpConfig::default()
    };
    let (server, _, authority) = started(config).await;
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    // The beginning of a hello that is announced to be longer.
    half.write_all(&[0x16, 3, 1, 1, 0, 1, 0, 0, 0xfc, 3, 3])
        .await
        .expect("written");
    let connector = client(&[&authority], &[&TLS13], &[]);
    let mut shaken = shake(&connector, server.connect().await).await.expect("a handshake");
    assert_eq!(read_to_end(&mut silent).await, "");
    assert_eq!(read_to_end(&mut half).await, "");
    assert_eq!(read_to_end(&mut shaken).await, "");
    let mut asking = shake(&connector, server.connect().await).await.expect("a handshake");
    asking.write_all(GET).await.expect("written");
    assert!(read_to_end(&mut asking).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_address_are_counted_before_their_handshake() {
    let config = HttpConfig {
        connections_per_address_max: 2,
        ..HttpConfig::default()
    };
    let (server, _, authority) = started(config).await;
    let connector = client(&[&authority], &[&TLS13], &[]);
    let kept = [server.connect().await, server.connect().await];
    // One that is refused is closed without a byte.
    assert!(shake(&connector, server.connect().await).await.is_err());
    drop(kept);
    let served = async {
        while shake(&connector, server.connect().await).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, served)
        .await
        .expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_requests_end_and_waits_for_no_handshake() {
    let authority = Authority::new();
    let (asked, mut is_asked) = tokio::sync::mpsc::channel::<()>(1);
    let release = tokio_util::sync::CancellationToken::new();
    let released = release.clone();
    let slow = move || async move {
        asked.send(()).await.expect("the test waits");
        released.cancelled().await;
        "done"
    };
    let tls = Some(Tls::new(identity(&authority, Flaw::None)));
    let router = Router::new().route("/slow", get(slow));
    let server = start(
        router,
        HttpConfig {
            // Longer than anybody waits for the end.
            header_read_timeout: Duration::from_mins(10),
            tls,
            ..HttpConfig::default()
        },
    )
    .await;
    let mut silent = server.connect().await;
    let connector = client(&[&authority], &[&TLS13], &[]);
    let mut busy = shake(&connector, server.connect().await).await.expect("a handshake");
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("written");
    is_asked.recv().await.expect("asked");
    server.shutdown.cancel();
    assert_eq!(read_to_end(&mut silent).await, "");
    release.cancel();
    let answer = read_to_end(&mut busy).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_identity_counts_for_new_connections_and_ends_none() {
    let (server, tls, old) = started(HttpConfig::default()).await;
    let new = Authority::new();
    let connector = client(&[&old, &new], &[&TLS13], &[]);
    let shown = |stream: &TlsStream<TcpStream>| {
        let (_, session) = stream.get_ref();
        session.peer_certificates().expect("a certificate")[0].to_vec()
    };
    let mut before = shake(&connector, server.connect().await).await.expect("a handshake");
    let ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    before.write_all(ask).await.expect("written");
    read_until(&mut before, "ok").await;
    tls.replace(identity(&new, Flaw::None));
    // The same client, which would resume what it had with the identity before.
    let after = shake(&connector, server.connect().await).await.expect("a handshake");
    assert_ne!(shown(&before), shown(&after));
    let of_new = client(&[&new], &[&TLS12], &[]);
    shake(&of_new, server.connect().await).await.expect("a handshake");
    before.write_all(ask).await.expect("written");
    read_until(&mut before, "ok").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tls_is_counted_and_answered_by_nothing() {
    let authority = Authority::new();
    let metrics = Arc::<Metrics>::default();
    let tls = Some(Tls::new(identity(&authority, Flaw::None)));
    let server = start_counted(
        healthy(),
        HttpConfig {
            tls,
            ..HttpConfig::default()
        },
        metrics.clone(),
    )
    .await;
    let mut plain = server.connect().await;
    plain.write_all(GET).await.expect("written");
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut answer))
        .await
        .expect("it is closed");
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"), "{answer:?}");
    // The connection is closed before it is counted.
    let counted = async {
        while metrics.tls_handshakes_failed.get() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("it is counted");
    assert_eq!(metrics.tls_handshakes_failed.get(), 1);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_come_by_https_where_that_is_set() {
    let config = HttpConfig {
        hsts: Some(HeaderValue::from_static("max-age=31536000")),
        ..HttpConfig::default()
    };
    let server = start(healthy(), config).await;
    for request in [
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        // Refused before any route sees it.
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    ] {
        let answer = server.exchange(request).await;
        assert!(
            answer.contains("\r\nstrict-transport-security: max-age=31536000\r\n"),
            "{answer}"
        );
    }
}

#[test]
fn what_is_no_identity_is_refused_with_what_is_wrong() {
    let authority = Authority::new();
    let (chain, key) = pem_of(&authority, Flaw::None);
    let (other_chain, _) = pem_of(&authority, Flaw::WrongHost);
    let (_, key_path) = authority.certificate(Flaw::Expired);
    let encrypted = Command::new("openssl")
        .args(["pkey", "-aes256", "-passout", "pass:x", "-in"])
        .arg(key_path)
        .output()
        .expect("openssl runs");
    let encrypted = Secret::new(String::from_utf8(encrypted.stdout).expect("PEM"));
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let cut = &chain[..chain.len() / 2];
    let why = |chain: &[u8], key: &Secret| Identity::from_pem(chain, key).err();
    assert_eq!(why(b"", &key), Some(IdentityError::NoCertificate));
    assert_eq!(why(key.reveal().as_bytes(), &key), Some(IdentityError::NoCertificate));
    assert_eq!(why(cut, &key), Some(IdentityError::ChainUnreadable));
    assert_eq!(
        why(&chain, &Secret::new(String::from_utf8(chain.clone()).expect("PEM"))),
        Some(IdentityError::NoKey)
    );
    assert_eq!(why(&chain, &encrypted), Some(IdentityError::KeyEncrypted));
    assert_eq!(why(&other_chain, &key), Some(IdentityError::OtherKey));
    assert!(matches!(
        why(&chain, &Secret::new(broken)),
        Some(IdentityError::KeyUnusable(_))
    ));
    let reversed = [authority.pem(), chain.clone()].concat();
    assert_eq!(
        why(&reversed, &key),
        Some(IdentityError::OtherKey),
        "the server's own comes first"
    );
    let whole = [chain, authority.pem()].concat();
    let identity = Identity::from_pem(&whole, &key).expect("a chain");
    let left = identity.expires_at().expect("it says so") - jiff::Timestamp::now().as_second();
    assert!((86_400..=2 * 86_400).contains(&left), "{left}");
}
