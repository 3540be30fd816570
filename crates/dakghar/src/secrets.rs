//! Secrets that nobody configured: generated once into `DATA_DIR`, readable by the owner only.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dakghar_core::domain::Secret;

/// The file of a generated master key, inside `DATA_DIR`.
pub const MASTER_KEY_FILE: &str = "master_key";
/// The file of a generated verify token, inside `DATA_DIR`.
pub const VERIFY_TOKEN_FILE: &str = "verify_token";

/// Makes the folder, for the owner only, if it is missing.
pub fn make_data_dir(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("DATA_DIR {} cannot be created", path.display()))
}

/// The configured secret, or the one in the file, or a new one that is then in the file. Only then is the folder made.
pub fn configured_or_generated(configured: Option<&Secret>, data_dir: &Path, file: &str) -> anyhow::Result<Secret> {
    if let Some(secret) = configured {
        return Ok(secret.clone());
    }
    // A secret that is there needs no space on the disk.
    if let Some(path) = generated(data_dir, file) {
        return read(&path);
    }
    make_data_dir(data_dir)?;
    let path = data_dir.join(file);
    // What is there needs no space on the disk.
    if path.exists() {
        return read(&path);
    }
    let mut bytes = [0; 32];
    #[expect(clippy::disallowed_methods, reason = "a secret that is made before there are ports")]
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the operating system provides no randomness"))?;
    let text = URL_SAFE_NO_PAD.encode(bytes);
    // Written aside and linked into place: a crash leaves no half a key, and of two processes one wins.
    let aside = data_dir.join(format!(".{file}.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)
        .and_then(|mut out| {
            out.write_all(text.as_bytes())?;
            out.sync_all()
        });
    let linked = written.and_then(|()| fs::hard_link(&aside, &path));
    let _ = fs::remove_file(&aside);
    match linked {
        Ok(()) => Ok(Secret::new(text)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&path),
        Err(error) => Err(error).with_context(|| format!("{} cannot be written", path.display())),
    }
}

fn read(path: &Path) -> anyhow::Result<Secret> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Secret::new(text.trim()))
}

/// The configured secret, or the one in the file, if there is one.
pub fn configured_or_kept(configured: Option<&Secret>, data_dir: &Path, file: &str) -> anyhow::Result<Option<Secret>> {
    if configured.is_some() {
        return Ok(configured.cloned());
    }
    generated(data_dir, file).map(|path| read(&path)).transpose()
}

/// A secret that was generated into the folder.
pub fn generated(folder: &Path, name: &str) -> Option<PathBuf> {
    Some(folder.join(name)).filter(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_generated_secret_is_private_and_stays_the_same() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let dir = dir.path().join("data");
        let configured = Secret::new("from a setting");
        configured_or_generated(Some(&configured), &dir, MASTER_KEY_FILE).expect("as it is");
        assert!(!dir.exists());
        let first = configured_or_generated(None, &dir, MASTER_KEY_FILE).expect("generated");
        let again = configured_or_generated(None, &dir, MASTER_KEY_FILE).expect("read");
        assert_eq!(first.reveal(), again.reveal());
        assert!(first.reveal().len() >= 32);
        let mode = fs::metadata(dir.join(MASTER_KEY_FILE))
            .expect("exists")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_secret_that_is_there_is_read_where_nothing_can_be_written() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let first = configured_or_generated(None, dir.path(), MASTER_KEY_FILE).expect("generated");
        // Root may write into any folder, but nobody can make a file where a folder stands.
        let aside = dir.path().join(format!(".{MASTER_KEY_FILE}.{}", std::process::id()));
        fs::create_dir(&aside).expect("a folder");
        let again = configured_or_generated(None, dir.path(), MASTER_KEY_FILE).expect("read");
        assert_eq!(first.reveal(), again.reveal());
    }
}
