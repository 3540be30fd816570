//! The settings of HTTPS.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "HTTPS" {
        TLS_CERT_FILE: Kind::Text, "", "The server's certificate and those that vouch for it, in PEM, the server's own first. With TLS_KEY_FILE, PORT speaks HTTPS (TLS 1.2 and 1.3, HTTP/2) and nothing else. Changed files are taken within ten seconds, or at once on SIGHUP.";
        TLS_KEY_FILE: Kind::Text, "", "The private key of that certificate, in PEM and without a password.";
        REDIRECT_ADDR: Kind::Text, "", "Where plain HTTP is answered with a redirect (308) to HTTPS: address and port, such as 0.0.0.0:80. It leads to the host of PUBLIC_URL or, where that is not set, to the host that was asked for and PORT. Health checks are answered there too, unless HEALTH_ADDR is set.";
        HSTS_SECONDS: Kind::Integer { min: 0, max: 315_360_000 }, "0", "For how long browsers that were here ask by HTTPS only (Strict-Transport-Security); 0 does not say so. Set it where clients always reach the server by HTTPS, also behind a proxy that speaks it.";
    }
}

/// Whether HTTPS is spoken, and how clients are led to it.
#[derive(Clone, Debug)]
pub struct Https {
    /// The files of the certificate, if HTTPS is spoken.
    pub files: Option<TlsFiles>,
    /// Where plain HTTP is redirected.
    pub redirect_addr: Option<SocketAddr>,
    /// For how long browsers ask by HTTPS only; 0 if they are not told.
    pub hsts_seconds: u64,
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Https {
    /// Reads the section.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let files = match (reader.text(&TLS_CERT_FILE), reader.text(&TLS_KEY_FILE)) {
            (Some(certificate), Some(key)) => Some(TlsFiles {
                certificate: certificate.into(),
                key: key.into(),
            }),
            (None, None) => None,
            (Some(_), None) => {
                reader.problem("TLS_CERT_FILE is set and TLS_KEY_FILE is not: HTTPS needs both");
                None
            }
            (None, Some(_)) => {
                reader.problem("TLS_KEY_FILE is set and TLS_CERT_FILE is not: HTTPS needs both");
                None
            }
        };
        Self {
            files,
            redirect_addr: read_addr(reader, &REDIRECT_ADDR),
            hsts_seconds: reader.integer(&HSTS_SECONDS),
        }
    }

    /// Checks the values.
    pub(super) fn check(&self, reader: &mut Reader<'_>) {
        reader.require(
            self.redirect_addr.is_none() || self.files.is_some(),
            "REDIRECT_ADDR is set, but there is no HTTPS to lead to: set TLS_CERT_FILE and TLS_KEY_FILE",
        );
    }
}

/// True if a process with these settings speaks HTTPS.
pub(super) fn is_spoken(reader: &Reader<'_>) -> bool {
    reader.is_set(&TLS_CERT_FILE)
}

/// An address and a port, if they are set.
pub(super) fn read_addr(reader: &mut Reader<'_>, variable: &Variable) -> Option<SocketAddr> {
    let parsed = reader.text(variable)?.parse();
    if parsed.is_err() {
        let name = variable.name;
        reader.problem(format!("{name} must be an IP address and a port, such as 0.0.0.0:9465"));
    }
    parsed.ok()
}
