//! How this process shows Vault or OpenBao who it is. The names are those that Vault's own programs have, where they have
//! some.

use std::path::PathBuf;

use dakghar_adapters::keys::Login;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "Keys" {
        VAULT_TOKEN: Kind::Secret, "", "The token for the Vault or OpenBao of KMS. The file of VAULT_TOKEN_FILE is read again when the token is refused, so an agent may renew it there.";
        VAULT_ROLE_ID: Kind::Text, "", "Instead of a token: the id of an AppRole.";
        VAULT_SECRET_ID: Kind::Secret, "", "The secret of VAULT_ROLE_ID.";
        VAULT_KUBERNETES_ROLE: Kind::Text, "", "Instead of a token: the role of the pod's service account.";
        VAULT_AUTH_MOUNT: Kind::Text, "", "The path of the method by which this process logs in, where it is neither approle nor kubernetes.";
        VAULT_NAMESPACE: Kind::Text, "", "The namespace of Vault Enterprise or OpenBao.";
        VAULT_CACERT: Kind::Text, "", "A file with certificate authorities, in PEM, that the certificate of Vault may be signed by besides those that this machine believes.";
    }
}

/// The token of a pod's service account.
const ACCOUNT_TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The way in which this process shows who it is.
pub(super) struct VaultAccess {
    pub(super) namespace: Option<String>,
    pub(super) login: Login,
    pub(super) login_mount: Option<String>,
    pub(super) authorities_pem: Option<Vec<u8>>,
}

/// Reads it. Where nobody uses it nothing is required.
pub(super) fn read(reader: &mut Reader<'_>, is_used: bool) -> Option<VaultAccess> {
    let token_file = reader.file_of(&VAULT_TOKEN).map(PathBuf::from);
    let token = reader.secret(&VAULT_TOKEN);
    let role_id = reader.text(&VAULT_ROLE_ID);
    let secret_id = reader.secret(&VAULT_SECRET_ID);
    let kubernetes = reader.text(&VAULT_KUBERNETES_ROLE);
    let login = match (token, token_file, role_id, kubernetes) {
        (Some(_), Some(file), None, None) => Some(Login::TokenFile(file)),
        (Some(token), None, None, None) => Some(Login::Token(token)),
        (None, None, Some(role_id), None) => secret_id.map(|secret_id| Login::AppRole { role_id, secret_id }),
        (None, None, None, Some(role)) => Some(Login::Kubernetes {
            role,
            token_file: ACCOUNT_TOKEN_FILE.into(),
        }),
        _ => None,
    };
    let access = VaultAccess {
        namespace: reader.text(&VAULT_NAMESPACE),
        login_mount: reader.text(&VAULT_AUTH_MOUNT),
        authorities_pem: read_authorities(reader),
        login: match login {
            Some(login) => login,
            None if is_used => {
                reader.problem(
                    "KMS names a Vault, so set one of VAULT_TOKEN, VAULT_ROLE_ID with VAULT_SECRET_ID, and \
                     VAULT_KUBERNETES_ROLE",
                );
                return None;
            }
            None => return None,
        },
    };
    Some(access)
}

fn read_authorities(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let path = reader.text(&VAULT_CACERT)?;
    match std::fs::read(&path) {
        Ok(pem) => Some(pem),
        Err(error) => {
            reader.problem(format!("VAULT_CACERT: {path}: {error}"));
            None
        }
    }
}
