//! The settings of logging. They are read before all others, so that these can be complained about.

use tracing_subscriber::EnvFilter;

use super::environment::Environment;
use super::variable::{Kind, Variable, table};

table! {
    "Server" {
        LOG_FORMAT: Kind::OneOf(&["auto", "text", "json"]), "auto", "How log lines look: auto is text on a terminal and JSON elsewhere.";
        LOG_LEVEL: Kind::Text, "info", "What is logged: error, warn, info, debug, trace, or a filter such as info,dakghar_core=debug.";
    }
}

/// It logs an error, without saying whose, for each call to a receiver that is not who it says; a tenant's receiver can be that
/// as often as it is called. The attempt log of its endpoint tells of it.
const QUIET: &str = "rustls_platform_verifier=off";

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// The log lines that are written, and their form.
#[derive(Debug)]
pub struct Logging {
    /// The lines that are written.
    pub filter: EnvFilter,
    /// Their form.
    pub format: Format,
}

impl Logging {
    /// Reads the section. An error is the first problem that was found.
    pub fn read(environment: &Environment) -> Result<Self, String> {
        let level = environment.get(&LOG_LEVEL)?.unwrap_or_default();
        let filter = EnvFilter::try_new(format!("{QUIET},{level}")).map_err(|error| format!("LOG_LEVEL: {error}"))?;
        let format = match environment.get(&LOG_FORMAT)?.as_deref() {
            Some("json") => Format::Json,
            Some("text") => Format::Text,
            _ => Format::Auto,
        };
        Ok(Self { filter, format })
    }
}
