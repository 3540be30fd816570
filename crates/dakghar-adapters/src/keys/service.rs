//! The name of a key service in the settings.

use super::transit::TransitName;

/// The text names no key service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownService {
    /// None of the forms.
    #[error(
        "must be local, or vault:<address>/<mount>/<key>, such as vault:https://vault.internal:8200/transit/dakghar"
    )]
    Form,
    /// Known, but this program cannot do it.
    #[error("this build of dakghar does not know {0}; it knows local and vault")]
    NotBuilt(&'static str),
    /// An address of Vault or OpenBao that cannot be used.
    #[error("{0}")]
    Vault(&'static str),
}

/// Where the key is that wraps data keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceName {
    /// In the settings.
    Local,
    /// In the transit engine of Vault or OpenBao.
    Transit(TransitName),
}

impl ServiceName {
    /// Reads the name.
    pub fn parse(text: &str) -> Result<Self, UnknownService> {
        match text.split_once(':') {
            None if text == "local" => Ok(Self::Local),
            Some(("vault", rest)) => TransitName::parse(rest)
                .map(Self::Transit)
                .map_err(UnknownService::Vault),
            Some(("aws", _)) => Err(UnknownService::NotBuilt("aws")),
            Some(("gcp", _)) => Err(UnknownService::NotBuilt("gcp")),
            _ => Err(UnknownService::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_with_all_that_finds_its_key() {
        assert_eq!(ServiceName::parse("local"), Ok(ServiceName::Local));
        for text in [
            "vault:https://vault.internal:8200/transit/dakghar",
            "vault:http://127.0.0.1:8200/team/transit/dakghar",
            "vault:http://[::1]:8200/transit/dakghar",
            "vault:http://localhost/transit/dakghar",
        ] {
            assert!(
                matches!(ServiceName::parse(text), Ok(ServiceName::Transit(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn what_names_none_says_how_one_is_named() {
        for text in [
            "",
            "Local",
            "vault",
            "azure:x",
            "vault:",
            "vault:transit/dakghar",
            "vault:https://vault:8200",
            "vault:https://vault:8200/dakghar",
            "vault:https://vault:8200/transit/",
            "vault:https://vault:8200//dakghar",
            "vault:https://vault:8200/transit/dakghar?x=1",
            "vault:https://vault:8200/transit/../dakghar/%2e",
            "vault:https://user:pw@vault:8200/transit/dakghar",
            // Everybody on the way would see the data keys.
            "vault:http://vault:8200/transit/dakghar",
            "aws:arn:aws:kms:eu-central-1:111122223333:key/x",
            "gcp:projects/p/locations/l/keyRings/r/cryptoKeys/k",
        ] {
            let problem = ServiceName::parse(text).expect_err(text).to_string();
            assert!(problem.contains("vault"), "{text}: {problem}");
        }
    }
}
