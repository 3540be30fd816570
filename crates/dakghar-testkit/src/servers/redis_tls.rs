//! A Redis server that speaks TLS, under a certificate authority of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::Redis;
use crate::Port;

/// An authority, and a certificate for this machine signed by it.
const CERTIFICATES: &str = r"
    set -e
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=test -days 2
    openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost
    printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' > extensions
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
        -out server.pem
";

/// A Redis server of one test that takes TLS connections. Killed when dropped.
pub struct TlsRedis {
    /// The server. It also takes plain connections, on another port.
    pub redis: Redis,
    tls_port: Port,
    folder: TempDir,
}

impl TlsRedis {
    /// Makes an authority and starts a server with a certificate of it.
    pub async fn start() -> Self {
        let folder = TempDir::with_prefix("dakghar-redis-tls-").expect("the temporary folder can be written");
        make_certificates(folder.path());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let tls_port = Port::claim();
        let redis = Redis::start_with(&[
            "--tls-port",
            &tls_port.to_string(),
            "--tls-cert-file",
            &path("server.pem"),
            "--tls-key-file",
            &path("server.key"),
            "--tls-ca-cert-file",
            &path("ca.pem"),
            "--tls-auth-clients",
            "no",
        ])
        .await;
        Self {
            redis,
            tls_port,
            folder,
        }
    }

    /// Where it listens, as `rediss://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.tls_port)
    }

    /// As [`TlsRedis::url`], with the password given to [`Redis::require_password`].
    pub fn url_with(&self, password: &str) -> String {
        format!("rediss://:{password}@127.0.0.1:{}", self.tls_port)
    }

    /// The authority's certificate, in PEM.
    pub fn authority_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

fn make_certificates(folder: &Path) {
    let made = Command::new("sh")
        .args(["-c", CERTIFICATES])
        .current_dir(folder)
        .output()
        .expect("a shell can be started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
