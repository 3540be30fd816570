//! A certificate authority of a test, and certificates that are good or have one flaw.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Makes `$1.pem` and `$1.key` for the names `$2`, signed by the authority or, if `$3` says so, by itself. `$4` runs
/// the last step at another time.
const CERTIFICATE: &str = r#"
    set -e
    in_some_process() { "$@" || "$@" || "$@"; }
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj /CN=test
    printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\n' "$2" > "$1.extensions"
    if [ "$3" = self ]; then set -- "$1" "$2" "-signkey $1.key" "$4"; else set -- "$1" "$2" "-CA ca.pem -CAkey ca.key -CAcreateserial" "$4"; fi
    $4 openssl x509 -req -in "$1.csr" $3 -days 2 -extfile "$1.extensions" -out "$1.pem"
"#;
const AUTHORITY: &str =
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=authority -days 2";
/// The wrapper names a semaphore after its own process, and refuses to run where one of that name was left by another.
const LONG_AGO: &str = "in_some_process faketime 2020-01-01";

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It was valid years ago.
    Expired,
    /// It is for another host.
    WrongHost,
    /// Nobody but itself vouches for it.
    SelfSigned,
}

/// A certificate authority of one test.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    /// Makes an authority that is valid now.
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("dakghar-authority-").expect("the temporary folder can be written");
        run(folder.path(), AUTHORITY, &[]);
        Self { folder }
    }

    /// Its certificate, in PEM.
    pub fn pem(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("ca.pem")).expect("it was made")
    }

    /// The files of a certificate and of its key, for 127.0.0.1, localhost and `receiver.example`.
    pub fn certificate(&self, flaw: Flaw) -> (PathBuf, PathBuf) {
        let name = format!("{flaw:?}");
        let hosts = match flaw {
            Flaw::WrongHost => "DNS:other.example",
            _ => "IP:127.0.0.1,DNS:localhost,DNS:receiver.example",
        };
        let signer = if flaw == Flaw::SelfSigned { "self" } else { "authority" };
        let when = if flaw == Flaw::Expired { LONG_AGO } else { "" };
        run(self.folder.path(), CERTIFICATE, &[&name, hosts, signer, when]);
        let path = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        (path("pem"), path("key"))
    }

    /// TLS for a server with such a certificate.
    pub fn acceptor(&self, flaw: Flaw) -> TlsAcceptor {
        let (certificate, key) = self.certificate(flaw);
        let chain = CertificateDer::pem_file_iter(certificate).expect("a file in PEM");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_file(key).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(chain, key).expect("they belong together");
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn run(folder: &Path, script: &str, arguments: &[&str]) {
    let made = Command::new("sh")
        .args(["-c", script, "sh"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("a shell can be started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
