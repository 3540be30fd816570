//! TLS of a listener: TLS 1.2 and 1.3, HTTP/2 or HTTP/1.1 as the client wants it, under an identity that can be replaced.
//!
//! A connection keeps the identity under which it began, so a replacement ends none. Nothing of an old identity is resumed
//! under a new one, because each has its own memory of sessions.

use std::fmt;
use std::sync::Arc;

use dakghar_core::domain::Secret;
use parking_lot::RwLock;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error, ServerConfig};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// The protocols that are offered, the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The identity that a listener shows now. A clone shows the same.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

impl Tls {
    /// Shows this identity.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(RwLock::new(identity.config)))
    }

    /// Shows this identity from the next handshake on.
    pub fn replace(&self, identity: Identity) {
        *self.0.write() = identity.config;
    }

    /// Returns what makes the next handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.read()))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls")
    }
}

/// A certificate with those that vouch for it, and its key.
pub struct Identity {
    config: Arc<ServerConfig>,
    expires_at: Option<i64>,
}

impl Identity {
    /// Reads a chain, the server's own certificate first, and the key of that.
    pub fn from_pem(chain: &[u8], key: &Secret) -> Result<Self, IdentityError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let certificates = certificates.map_err(|_| IdentityError::ChainUnreadable)?;
        let first = certificates.first().ok_or(IdentityError::NoCertificate)?;
        let expires_at = expiry(first);
        let key = read_key(key.reveal().as_bytes())?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider knows both versions")
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|error| match error {
                Error::InconsistentKeys(_) => IdentityError::OtherKey,
                Error::InvalidCertificate(_) => IdentityError::ChainUnreadable,
                // It says what kind of key is not known, and nothing of this one.
                error => IdentityError::KeyUnusable(error.to_string()),
            })?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        let config = Arc::new(config);
        Ok(Self { config, expires_at })
    }

    /// When the certificate expires, in seconds since the Unix epoch. `None` if it does not say so readably.
    pub const fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }
}

/// Why two texts are no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The chain has no certificate in PEM.
    #[error("it holds no certificate in PEM")]
    NoCertificate,
    /// A certificate cannot be read.
    #[error("a certificate in it cannot be read")]
    ChainUnreadable,
    /// There is no key in PEM.
    #[error("it holds no private key in PEM")]
    NoKey,
    /// The key needs a password.
    #[error("its key is encrypted; write it without a password (openssl pkey -in KEY -out KEY.open)")]
    KeyEncrypted,
    /// The key cannot be used.
    #[error("its key cannot be used: {0}")]
    KeyUnusable(String),
    /// The key belongs to another certificate.
    #[error(
        "its key does not belong to the first certificate of the chain; the server's own certificate stands first, those \
         that vouch for it behind"
    )]
    OtherKey,
}

impl IdentityError {
    /// True if the chain is at fault, false if the key is.
    pub const fn is_of_chain(&self) -> bool {
        matches!(self, Self::NoCertificate | Self::ChainUnreadable)
    }
}

fn read_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, IdentityError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound if is_encrypted(pem) => IdentityError::KeyEncrypted,
        pem::Error::NoItemsFound => IdentityError::NoKey,
        _ => IdentityError::KeyUnusable("it is no readable PEM".to_owned()),
    })
}

fn is_encrypted(pem: &[u8]) -> bool {
    let marker = b"ENCRYPTED PRIVATE KEY";
    pem.windows(marker.len()).any(|window| window == marker)
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<i64> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate.validity.not_after.to_unix_duration();
    i64::try_from(end.as_secs()).ok()
}
