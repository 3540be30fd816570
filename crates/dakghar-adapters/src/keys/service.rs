//! The name of a key service in the settings, and the service that it names.

use std::sync::Arc;

use dakghar_core::ports::KeyService;

#[cfg(feature = "kms-aws")]
use super::aws::{AwsKeys, AwsName};
#[cfg(feature = "kms-gcp")]
use super::gcp::{GcpConfig, GcpKeys, GcpName};
use super::transit::{TransitConfig, TransitError, TransitKeys, TransitName};

/// The text names no key service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownService {
    /// None of the forms.
    #[error(
        "must be local, vault:<address>/<mount>/<key>, aws:<key arn> or gcp:<resource>, such as \
         vault:https://vault.internal:8200/transit/dakghar"
    )]
    Form,
    /// Known, but this program cannot do it.
    #[error(
        "this build of dakghar cannot use {service}: take the image, or build with the feature {feature}; it can use local \
         and vault"
    )]
    NotBuilt {
        /// The service.
        service: &'static str,
        /// The feature that it was built without.
        feature: &'static str,
    },
    /// A key of a known service that is named wrongly.
    #[error("{0}")]
    Key(&'static str),
}

/// Where the key is that wraps data keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceName {
    /// In the settings.
    Local,
    /// In the transit engine of Vault or OpenBao.
    Transit(TransitName),
    /// In AWS KMS.
    #[cfg(feature = "kms-aws")]
    Aws(AwsName),
    /// In Cloud KMS of GCP.
    #[cfg(feature = "kms-gcp")]
    Gcp(GcpName),
}

impl ServiceName {
    /// Reads the name.
    pub fn parse(text: &str) -> Result<Self, UnknownService> {
        match text.split_once(':') {
            None if text == "local" => Ok(Self::Local),
            Some(("vault", rest)) => TransitName::parse(rest).map(Self::Transit).map_err(UnknownService::Key),
            Some(("aws", rest)) => Self::parse_aws(rest),
            Some(("gcp", rest)) => Self::parse_gcp(rest),
            _ => Err(UnknownService::Form),
        }
    }

    #[cfg(feature = "kms-aws")]
    fn parse_aws(arn: &str) -> Result<Self, UnknownService> {
        AwsName::parse(arn).map(Self::Aws).map_err(UnknownService::Key)
    }

    #[cfg(not(feature = "kms-aws"))]
    const fn parse_aws(_: &str) -> Result<Self, UnknownService> {
        Err(UnknownService::NotBuilt {
            service: "aws",
            feature: "kms-aws",
        })
    }

    #[cfg(feature = "kms-gcp")]
    fn parse_gcp(resource: &str) -> Result<Self, UnknownService> {
        GcpName::parse(resource).map(Self::Gcp).map_err(UnknownService::Key)
    }

    #[cfg(not(feature = "kms-gcp"))]
    const fn parse_gcp(_: &str) -> Result<Self, UnknownService> {
        Err(UnknownService::NotBuilt {
            service: "gcp",
            feature: "kms-gcp",
        })
    }
}

/// A key of a service elsewhere, and the way to it.
#[derive(Clone, Debug)]
pub enum ServiceConfig {
    /// In the transit engine of Vault or OpenBao.
    Transit(TransitConfig),
    /// In AWS KMS.
    #[cfg(feature = "kms-aws")]
    Aws(AwsName),
    /// In Cloud KMS of GCP.
    #[cfg(feature = "kms-gcp")]
    Gcp(GcpConfig),
}

impl ServiceConfig {
    /// The service. It connects when it is first used.
    pub fn service(&self) -> Result<Arc<dyn KeyService>, TransitError> {
        Ok(match self {
            Self::Transit(config) => Arc::new(TransitKeys::new(config.clone())?),
            #[cfg(feature = "kms-aws")]
            Self::Aws(name) => Arc::new(AwsKeys::new(name.clone())),
            #[cfg(feature = "kms-gcp")]
            Self::Gcp(config) => Arc::new(GcpKeys::new(config.clone())),
        })
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
        ] {
            let problem = ServiceName::parse(text).expect_err(text).to_string();
            assert!(problem.contains("vault"), "{text}: {problem}");
        }
    }

    const AWS: &str = "aws:arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
    const GCP: &str = "gcp:projects/p/locations/l/keyRings/r/cryptoKeys/k";

    #[test]
    fn a_service_that_was_not_built_in_says_how_to_get_it() {
        for (text, is_built, feature) in [
            (AWS, cfg!(feature = "kms-aws"), "kms-aws"),
            (GCP, cfg!(feature = "kms-gcp"), "kms-gcp"),
        ] {
            match ServiceName::parse(text) {
                Ok(_) => assert!(is_built, "{text}"),
                Err(problem) => {
                    assert!(!is_built, "{text}: {problem}");
                    assert!(problem.to_string().contains(feature), "{problem}");
                }
            }
        }
    }
}
