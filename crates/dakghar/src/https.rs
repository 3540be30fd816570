//! The certificate of this server: read at the start, and again when its files change.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aws_lc_rs::digest::{self, SHA256};
use dakghar_core::domain::Secret;
use dakghar_core::metrics::{Metrics, TlsReload};
use dakghar_server::http::{Identity, Tls};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::TlsFiles;

/// The wait between two looks at the files. What changes is believed when two looks have found the same.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The most bytes that are read of each file: a chain has some thousands.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The state of both files at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// The digest of both, so that the key itself is not kept.
    Content(Vec<u8>),
    /// Why one of them cannot be read.
    Unreadable(String),
}

/// The content of both files.
struct Pair {
    chain: Vec<u8>,
    key: Secret,
}

/// The certificate that is shown, and its files.
pub struct Https {
    files: TlsFiles,
    tls: Tls,
    /// The state that was judged last, whether it was taken or refused.
    judged: Found,
    /// Another state, which only the last look has found.
    fresh: Option<Found>,
    asked: Signal,
    metrics: Arc<Metrics>,
}

impl Https {
    /// Reads both files. An error names the setting that is at fault. SIGHUP no longer ends the process from here on.
    pub async fn load(files: TlsFiles, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let asked = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        let pair = read(&files).await.map_err(|why| anyhow!(why))?;
        let identity = identity(&files, &pair).map_err(|why| anyhow!(why))?;
        note_expiry(&metrics, &identity);
        Ok(Self {
            judged: Found::Content(digest_of(&pair)),
            tls: Tls::new(identity),
            files,
            fresh: None,
            asked,
            metrics,
        })
    }

    /// What listeners show.
    pub fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Looks at the files again and again, and at once on SIGHUP. Never ends.
    pub async fn watch(mut self) {
        loop {
            let is_asked = tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => false,
                _ = self.asked.recv() => true,
            };
            self.look(is_asked).await;
        }
    }

    /// Judges what has changed. A pair that cannot be used is refused, and the one that is shown stays.
    async fn look(&mut self, is_asked: bool) {
        let read = read(&self.files).await;
        let found = match &read {
            Ok(pair) => Found::Content(digest_of(pair)),
            Err(why) => Found::Unreadable(why.clone()),
        };
        if found == self.judged {
            self.fresh = None;
            if is_asked {
                tracing::info!("SIGHUP: the files of the certificate are as they were");
            }
            return;
        }
        // Two files are written one after the other: what is still changing is not judged, unless somebody asks for it.
        if !is_asked && self.fresh.as_ref() != Some(&found) {
            self.fresh = Some(found);
            return;
        }
        (self.judged, self.fresh) = (found, None);
        match read.and_then(|pair| identity(&self.files, &pair)) {
            Ok(identity) => {
                note_expiry(&self.metrics, &identity);
                self.metrics.tls_reloads.of(TlsReload::Taken).inc();
                let expires_at = identity.expires_at().and_then(shown);
                self.tls.replace(identity);
                tracing::info!(expires_at, "the certificate was replaced");
            }
            Err(why) => {
                self.metrics.tls_reloads.of(TlsReload::Refused).inc();
                tracing::error!(why, "the certificate was not replaced; the one before is still shown");
            }
        }
    }
}

/// Reads the certificate that the settings name, and says when it expires. An error names the setting that is at fault.
pub async fn check(files: &TlsFiles) -> Result<Option<String>, String> {
    let pair = read(files).await?;
    Ok(identity(files, &pair)?.expires_at().and_then(shown))
}

fn shown(unix_seconds: i64) -> Option<String> {
    let at = jiff::Timestamp::from_second(unix_seconds).ok()?;
    Some(at.to_string())
}

fn note_expiry(metrics: &Metrics, identity: &Identity) {
    metrics.tls_certificate_expiry.set(identity.expires_at().unwrap_or(0));
}

fn identity(files: &TlsFiles, pair: &Pair) -> Result<Identity, String> {
    Identity::from_pem(&pair.chain, &pair.key).map_err(|error| {
        let (setting, path) = if error.is_of_chain() {
            ("TLS_CERT_FILE", &files.certificate)
        } else {
            ("TLS_KEY_FILE", &files.key)
        };
        format!("{setting}: {}: {error}", path.display())
    })
}

async fn read(files: &TlsFiles) -> Result<Pair, String> {
    let chain = read_file("TLS_CERT_FILE", &files.certificate).await?;
    let key = read_file("TLS_KEY_FILE", &files.key).await?;
    let key = String::from_utf8(key).map_err(|_| format!("TLS_KEY_FILE: {}: it is no PEM", files.key.display()))?;
    Ok(Pair {
        chain,
        key: Secret::new(key),
    })
}

async fn read_file(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    let read = async {
        let mut bytes = Vec::new();
        // Whoever opens a pipe waits for somebody who writes into it.
        if !tokio::fs::metadata(path).await?.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        let file = tokio::fs::File::open(path).await?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).await?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read
        .await
        .map_err(|error| format!("{setting}: {}: {error}", path.display()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{setting}: {}: it has more than 1 MiB", path.display()));
    }
    Ok(bytes)
}

fn digest_of(pair: &Pair) -> Vec<u8> {
    let mut digest = digest::Context::new(&SHA256);
    digest.update(&(pair.chain.len() as u64).to_be_bytes());
    digest.update(&pair.chain);
    digest.update(pair.key.reveal().as_bytes());
    digest.finish().as_ref().to_vec()
}
