//! Where a key of the transit engine is, and how this process shows who it is.

use std::path::PathBuf;

use dakghar_core::domain::secret::Secret;
use dakghar_core::ports::KeyId;
use url::Url;

use crate::keys::near;

/// The most of a name: it stands in every wrapped data key.
const NAME_BYTES_MAX: usize = 256;

/// A key of the transit engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitName {
    /// The server, without a path.
    pub(super) address: String,
    /// The path of the engine.
    pub(super) mount: String,
    /// The name of the key.
    pub(super) key: String,
}

impl TransitName {
    /// Reads `<address>/<mount>/<key>`.
    pub(in crate::keys) fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str =
            "must be vault:<address>/<mount>/<key>, such as vault:https://vault.internal:8200/transit/dakghar";
        let url = Url::parse(text).map_err(|_| FORM)?;
        let is_near = near::is_near(&url).ok_or(FORM)?;
        match url.scheme() {
            "https" => {}
            "http" if is_near => {}
            "http" => return Err("vault: needs https, because data keys travel to it; http is for this machine only"),
            _ => return Err(FORM),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("vault: takes no user in the address; set VAULT_TOKEN, VAULT_ROLE_ID or VAULT_KUBERNETES_ROLE");
        }
        let is_plain = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty() && part.bytes().all(plain) && part.bytes().any(|byte| byte != b'.')
        };
        let path = url.path().trim_start_matches('/');
        let (mount, key) = path.rsplit_once('/').ok_or(FORM)?;
        let has_more = url.query().is_some() || url.fragment().is_some();
        // A path that the parser resolved, such as one with `..`, was meant for something else.
        let is_as_written = text.ends_with(&format!("/{path}"));
        if has_more || !is_as_written || !is_plain(key) || !mount.split('/').all(is_plain) {
            return Err(FORM);
        }
        if mount.len() + key.len() > NAME_BYTES_MAX {
            return Err("vault: the mount and the key have 256 bytes at most");
        }
        Ok(Self {
            address: url.origin().ascii_serialization(),
            mount: mount.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Names the key on what it wrapped. The address is no part of it: a server may move.
    pub(super) fn id(&self, namespace: Option<&str>) -> KeyId {
        let namespace = namespace.map(|name| format!("{}/", name.trim_matches('/')));
        let namespace = namespace.as_deref().unwrap_or_default();
        KeyId::new(format!("vault:{namespace}{}/{}", self.mount, self.key))
    }
}

/// The way in which this process shows who it is.
#[derive(Clone, Debug)]
pub enum Login {
    /// By a token.
    Token(Secret),
    /// By the token in a file, which somebody else renews and which is read again when it is refused.
    TokenFile(PathBuf),
    /// By a role for machines.
    AppRole {
        /// Its id.
        role_id: String,
        /// Its secret.
        secret_id: Secret,
    },
    /// By the account of the pod.
    Kubernetes {
        /// The role.
        role: String,
        /// The file of the account's token.
        token_file: PathBuf,
    },
}

/// A key of the transit engine, and the way to it.
#[derive(Clone, Debug)]
pub struct TransitConfig {
    /// The key.
    pub name: TransitName,
    /// The namespace of Vault, if there are some.
    pub namespace: Option<String>,
    /// The way in which this process shows who it is.
    pub login: Login,
    /// The path of the method by which it does, where it is not the usual one.
    pub login_mount: Option<String>,
    /// Authorities in PEM, believed besides those that this machine believes.
    pub authorities_pem: Option<Vec<u8>>,
}

/// A key service cannot be used with this configuration.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransitError {
    /// The certificates are not readable as such.
    #[error("no certificate in PEM")]
    Authorities,
    /// The namespace is no header.
    #[error("the namespace has characters that no namespace has")]
    Namespace,
    /// The HTTP client could not be made.
    #[error("the HTTP client for the key service could not be made: {0}")]
    Client(String),
}
