//! `X-Hub-Signature-256`.

use std::sync::Arc;

use aws_lc_rs::hmac;

/// Signs bodies with an app secret.
#[derive(Debug)]
pub(crate) struct Signer {
    key: hmac::Key,
    secret: Arc<str>,
}

impl Signer {
    pub(crate) fn secret(&self) -> Arc<str> {
        self.secret.clone()
    }

    pub(crate) fn keyed(app_secret: &str) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, app_secret.as_bytes()),
            secret: app_secret.into(),
        }
    }

    /// The header value for exactly these bytes.
    pub(crate) fn header(&self, body: &[u8]) -> String {
        format!("sha256={}", hex::encode(hmac::sign(&self.key, body).as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_hmac_example() {
        let signer = Signer::keyed("key");
        assert_eq!(
            signer.header(b"The quick brown fox jumps over the lazy dog"),
            "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        );
    }
}
