//! The table of settings, put together from the sections. `.env.example`, the reference page, `doctor` and the parser
//! all read it.

use std::fmt::Write as _;

use super::variable::Kind;
pub use super::variable::Variable;
use super::{
    audit, callbacks, https, keys, logging, meta, numbers, sending, server, signups, storage, tenant_limits, traces,
    vault,
};

/// The tables of the sections, in the order of the reference. Sections of one heading stand together.
const TABLES: &[&[Variable]] = &[
    server::TABLE,
    logging::TABLE,
    https::TABLE,
    tenant_limits::TABLE,
    audit::TABLE,
    storage::TABLE,
    meta::TABLE,
    signups::TABLE,
    numbers::TABLE,
    keys::TABLE,
    vault::TABLE,
    sending::TABLE,
    callbacks::TABLE,
    traces::TABLE,
];

/// Every setting, in the order of the reference.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    TABLES.iter().copied().flatten()
}

/// The text of `.env.example`.
pub fn env_example() -> String {
    let mut text = String::from(
        "# Every setting of Dakghar. Copy to .env and change what you need; nothing here is required to try it out.\n\
         # A variable of the environment wins over this file. A secret NAME may come from a file named by NAME_FILE.\n",
    );
    let mut heading = "";
    for variable in all() {
        if variable.heading != heading {
            heading = variable.heading;
            let _ = write!(text, "\n# --- {heading} ---\n");
        }
        let _ = write!(text, "\n# {}\n", variable.about);
        if let Kind::OneOf(words) = variable.kind {
            let _ = writeln!(text, "# One of: {}.", words.join(", "));
        }
        let _ = writeln!(text, "# {}={}", variable.name, variable.default);
    }
    text
}
