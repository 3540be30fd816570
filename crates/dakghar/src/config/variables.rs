//! The one table of settings. `.env.example`, the reference page, `doctor` and the parser all read it.

use std::fmt::Write as _;

/// What a variable holds, and how its text is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that must never be shown.
    Secret,
    /// A whole number in this range.
    Integer {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// The name of the environment variable.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The value when it is not set; empty when there is none.
    pub default: &'static str,
    /// One sentence or two for people.
    pub about: &'static str,
    /// The heading it stands under.
    pub section: &'static str,
}

macro_rules! variables {
    ($($section:literal { $($name:ident: $kind:expr, $default:literal, $about:literal;)* })*) => {
        $($(#[doc = $about] pub const $name: Variable = Variable {
            name: stringify!($name), kind: $kind, default: $default, about: $about, section: $section,
        };)*)*
        /// Every setting, in the order of the reference.
        pub const ALL: &[&Variable] = &[$($(&$name,)*)*];
    };
}

variables! {
    "Server" {
        PORT: Kind::Integer { min: 0, max: 65_535 }, "3000", "The TCP port to listen on; 0 takes a free one.";
        BIND_ADDR: Kind::Text, "", "The IP address to listen on. Default: 127.0.0.1 in development, 0.0.0.0 in production or when ADMIN_API_KEY is set.";
        APP_ENV: Kind::OneOf(&["development", "production"]), "development", "In production every secret must be set and every request needs an API key.";
        ADMIN_API_KEY: Kind::Secret, "", "The operator's key: guards registration and every route across tenants. At least 16 characters.";
        PUBLIC_URL: Kind::Text, "", "The URL under which Meta reaches this server, shown in hints only.";
        LOG_FORMAT: Kind::OneOf(&["auto", "text", "json"]), "auto", "How log lines look: auto is text on a terminal and JSON elsewhere.";
        LOG_LEVEL: Kind::Text, "info", "What is logged: error, warn, info, debug, trace, or a filter such as info,dakghar_core=debug.";
    }
    "Store and queue" {
        DATA_DIR: Kind::Text, "./data", "Where the embedded backend keeps its SQLite file, and where generated secrets are kept.";
        MONGO_URI: Kind::Secret, "", "Set it to use MongoDB (a replica set) and BullMQ on Redis instead of the embedded backend, for example mongodb://mongo:27017/pocdb.";
        REDIS_HOST: Kind::Text, "127.0.0.1", "The Redis server of the BullMQ queue.";
        REDIS_PORT: Kind::Integer { min: 1, max: 65_535 }, "6379", "The port of REDIS_HOST.";
        REDIS_URL: Kind::Secret, "", "Wins over REDIS_HOST and REDIS_PORT: redis:// or rediss:// (TLS), with user and password. Several URLs separated by commas, or one with ?cluster=true, are nodes of a Redis Cluster, which needs QUEUE_SHARDS of at least 2.";
        REDIS_CA_FILE: Kind::Text, "", "A file with the certificate authority, in PEM, that signed the certificate of a rediss:// server. Unset: the public authorities.";
        QUEUE_SHARDS: Kind::Integer { min: 1, max: 64 }, "1", "Queues the numbers are spread over. The same in every process; change it only while the queue is empty.";
    }
    "Meta" {
        APP_SECRET: Kind::Secret, "", "The Meta app's secret: checks the signature of every webhook. Unset: signatures are not checked, with a warning.";
        APP_SECRET_PREVIOUS: Kind::Secret, "", "The app secret before the present one, still accepted while it is being rotated.";
        VERIFY_TOKEN: Kind::Secret, "", "What Meta sends when it verifies the webhook URL. Unset: generated into DATA_DIR.";
        WHATSAPP_API_VERSION: Kind::Text, "v25.0", "The Graph API version that is called.";
        GRAPH_BASE_URL: Kind::Text, "https://graph.facebook.com", "Where the Graph API is; dakghar graph-sim offers a simulated one.";
    }
    "Keys" {
        MASTER_KEY: Kind::Secret, "", "At least 32 bytes; wraps every tenant's data key. Unset: generated into DATA_DIR. Required with MONGO_URI.";
        MASTER_KEY_PREVIOUS: Kind::Secret, "", "The master key before the present one: access tokens, API keys and callbacks from its time stay valid while it is set, so keep it.";
    }
    "Sending" {
        WORKER_CONCURRENCY: Kind::Integer { min: 1, max: 10_000 }, "512", "Calls to Meta that one process may have under way, with those whose claim or outcome is just being stored.";
        SEND_ATTEMPTS_MAX: Kind::Integer { min: 1, max: 20 }, "5", "Attempts before a message becomes a dead letter.";
        RETRY_BASE_MS: Kind::Integer { min: 1, max: 3_600_000 }, "1000", "The upper bound of the first wait between attempts, in milliseconds; doubles with each attempt, with full jitter.";
        SEND_TIMEOUT_MS: Kind::Integer { min: 100, max: 300_000 }, "30000", "The longest a call to Meta may take, in milliseconds.";
        SEND_LEASE_MS: Kind::Integer { min: 500, max: 3_600_000 }, "45000", "How long a worker holds a message it is sending, in milliseconds; a ninth of it is the safety margin. Must exceed SEND_TIMEOUT_MS by more than that margin.";
        UNKNOWN_OUTCOME_GRACE_MS: Kind::Integer { min: 100, max: 3_600_000 }, "120000", "How long a status webhook is awaited after a call whose outcome is unknown, in milliseconds.";
        UNKNOWN_OUTCOME_MAX_MS: Kind::Integer { min: 100, max: 86_400_000 }, "900000", "With unknownOutcome auto: how long after the call a message without any evidence is given up, in milliseconds.";
        RETRY_CAP_MS: Kind::Integer { min: 1, max: 86_400_000 }, "300000", "The upper bound of any wait between attempts, in milliseconds.";
    }
}

impl Variable {
    /// Whether the value must never be shown.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

/// The text of `.env.example`.
pub fn env_example() -> String {
    let mut text = String::from(
        "# Every setting of Dakghar. Copy to .env and change what you need; nothing here is required to try it out.\n\
         # A variable of the environment wins over this file. A secret NAME may come from a file named by NAME_FILE.\n",
    );
    let mut section = "";
    for variable in ALL {
        if variable.section != section {
            section = variable.section;
            let _ = write!(text, "\n# --- {section} ---\n");
        }
        let _ = write!(text, "\n# {}\n", variable.about);
        if let Kind::OneOf(words) = variable.kind {
            let _ = writeln!(text, "# One of: {}.", words.join(", "));
        }
        let _ = writeln!(text, "# {}={}", variable.name, variable.default);
    }
    text
}
