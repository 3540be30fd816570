//! A key that AWS KMS keeps. The owner of a data key and its purpose are the encryption context, so KMS itself refuses to
//! decrypt it for another owner.
//!
//! Who this process is comes from the chain of AWS: variables, profiles, the identity of a pod or a machine. Nothing is
//! tried twice here: what waits for a key asks again by itself.

#[cfg(feature = "kms-aws")]
mod errors;
mod name;
#[cfg(feature = "kms-aws")]
mod service;

pub use name::AwsName;
#[cfg(feature = "kms-aws")]
pub use service::AwsKeys;
