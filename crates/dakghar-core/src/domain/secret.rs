//! Text that must not be seen: access tokens, API keys, signing secrets.

use std::fmt;

use zeroize::Zeroizing;

/// Secret text. It has no `Display` and no serialisation, prints `***` when debugged, and is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Makes a secret of the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the text itself, for the one place that must use it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// True if this is an access token whose sends are simulated without any call to Meta.
    pub fn is_mock_token(&self) -> bool {
        self.0.starts_with("mock_")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debugging_a_secret_shows_stars() {
        assert_eq!(format!("{:?}", Secret::new("EAAG-canary")), "***");
    }

    /// Compiles only while the text and its every copy are wiped with the secret.
    #[test]
    fn a_secret_is_wiped_when_it_is_dropped() {
        fn is_wiped(_: &impl zeroize::ZeroizeOnDrop) {}
        let secret = Secret::new("EAAG-canary");
        let Secret(text) = &secret;
        is_wiped(text);
        let Secret(copy) = &secret.clone();
        is_wiped(copy);
    }
}
