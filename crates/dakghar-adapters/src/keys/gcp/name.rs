//! The name of a key of GCP's Cloud KMS.

use dakghar_core::ports::KeyId;
use url::Url;

use crate::keys::near;

/// The most of a name: it stands in every wrapped data key.
const NAME_BYTES_MAX: usize = 512;
/// The parts of a name, each before a word of its own.
const PARTS: [&str; 4] = ["projects", "locations", "keyRings", "cryptoKeys"];

/// A key of Cloud KMS, by its resource name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcpName(String);

impl GcpName {
    /// Reads `projects/<project>/locations/<location>/keyRings/<ring>/cryptoKeys/<key>`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "must be gcp:<resource>, such as \
                            gcp:projects/my-project/locations/europe-west3/keyRings/dakghar/cryptoKeys/data";
        let parts: Vec<_> = text.split('/').collect();
        if parts.get(8) == Some(&"cryptoKeyVersions") {
            return Err("gcp: takes a key and no version of it: Cloud KMS knows which one wrapped what");
        }
        let is_word = |text: &str| {
            // A project of a domain is written domain:project.
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
            !text.is_empty() && text.bytes().all(fits) && text.bytes().any(|byte| byte != b'.')
        };
        let is_resource = parts.len() == 2 * PARTS.len()
            && parts
                .chunks(2)
                .zip(PARTS)
                .all(|(pair, part)| pair[0] == part && is_word(pair[1]));
        if !is_resource || text.len() > NAME_BYTES_MAX {
            return Err(FORM);
        }
        Ok(Self(text.to_owned()))
    }

    /// Names the key on what it wrapped.
    pub fn id(&self) -> KeyId {
        KeyId::new(format!("gcp:{}", self.0))
    }

    /// The resource name.
    pub fn resource(&self) -> &str {
        &self.0
    }
}

/// Another address of Cloud KMS, such as an endpoint of Private Service Connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcpEndpoint(String);

impl GcpEndpoint {
    /// Reads an address without a path: with `https`, or on this machine.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "must be an address without a path, such as https://cloudkms-internal.p.googleapis.com";
        let url = Url::parse(text).map_err(|_| FORM)?;
        let is_near = near::is_near(&url).ok_or(FORM)?;
        let has_more = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
        match url.scheme() {
            "https" | "http" if has_more || url.path() != "/" => Err(FORM),
            "https" => Ok(Self(url.origin().ascii_serialization())),
            "http" if is_near => Ok(Self(url.origin().ascii_serialization())),
            "http" => Err("needs https, because data keys travel to it; http is for this machine only"),
            _ => Err(FORM),
        }
    }

    /// The address.
    pub fn address(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_resource() {
        for text in [
            "projects/p/locations/europe-west3/keyRings/dakghar/cryptoKeys/data",
            "projects/example.com:p-1/locations/global/keyRings/r_1/cryptoKeys/K",
        ] {
            let name = GcpName::parse(text).expect(text);
            assert_eq!(name.resource(), text);
            assert_eq!(name.id().to_string(), format!("gcp:{text}"));
        }
        let version = GcpName::parse("projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1");
        assert!(version.expect_err("a version").contains("version"));
        for text in [
            "",
            "projects/p",
            "projects/p/locations/l/keyRings/r/cryptoKeys/",
            "projects/p/locations/l/keyRings/r/cryptoKeys/..",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k?x",
            "projects/p/locations/l/cryptoKeys/r/keyRings/k",
            "/projects/p/locations/l/keyRings/r/cryptoKeys/k",
        ] {
            assert!(GcpName::parse(text).expect_err(text).contains("resource"), "{text}");
        }
    }

    #[test]
    fn data_keys_travel_to_no_other_machine_in_the_clear() {
        for text in [
            "https://x.p.googleapis.com",
            "http://127.0.0.1:5000",
            "http://localhost:1/",
        ] {
            assert!(GcpEndpoint::parse(text).is_ok(), "{text}");
        }
        for text in [
            "http://kms.internal",
            "https://a/b",
            "https://u@a",
            "x",
            "ftp://localhost",
        ] {
            assert!(GcpEndpoint::parse(text).is_err(), "{text}");
        }
    }
}
