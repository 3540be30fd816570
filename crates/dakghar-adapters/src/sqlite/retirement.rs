//! The mark beside a database whose installation has moved to another store: a small text for people, with what the
//! program must know in its last lines. While it is there, the database is only opened to be migrated.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use dakghar_core::domain::migration::Retirement;
use dakghar_core::domain::time::Timestamp;

use super::open::{OpenError, private, sync_folder};

/// The name of the mark, in the folder of the database.
pub(super) const MARK: &str = "MIGRATED";

const SUCCESSOR: &str = "successor: ";
const AT: &str = "at: ";
const MIGRATION: &str = "migration: ";

pub(super) fn mark_of(file: &Path) -> PathBuf {
    file.with_file_name(MARK)
}

/// Keeps everybody from opening a database that was left.
pub(super) fn refuse(file: &Path) -> Result<(), OpenError> {
    let mark = mark_of(file);
    match read(file).map_err(|source| OpenError::io(&mark, source))? {
        None => Ok(()),
        Some(Retirement { successor, at, .. }) => Err(OpenError::Retired {
            file: file.to_owned(),
            mark,
            successor,
            at,
        }),
    }
}

/// The text of the mark; `None` when there is none.
pub(super) fn read(file: &Path) -> io::Result<Option<Retirement>> {
    let text = match fs::read_to_string(mark_of(file)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default()
    };
    Ok(Some(Retirement {
        migration_id: value(MIGRATION).to_owned(),
        successor: value(SUCCESSOR).to_owned(),
        at: Timestamp::parse_rfc3339(value(AT)).unwrap_or(Timestamp::from_millis(0)),
    }))
}

/// Leaves the mark, durably: written aside and moved into place, so that a crash leaves a whole one or none.
pub(super) fn write(file: &Path, retirement: &Retirement) -> io::Result<()> {
    let mark = mark_of(file);
    let aside = file.with_file_name(".MIGRATED.new");
    let mut out = private(&aside)?;
    out.set_len(0)?;
    out.write_all(text(retirement).as_bytes())?;
    out.sync_all()?;
    fs::rename(&aside, &mark)?;
    sync_folder(&mark)
}

fn text(retirement: &Retirement) -> String {
    let Retirement {
        migration_id,
        successor,
        at,
    } = retirement;
    format!(
        "The installation in this folder was moved by `dakghar migrate`. The new installation sends its messages now;\n\
         a server started here would send them a second time, so none starts while this file is here.\n\
         \n\
         To go back, as long as the new installation has sent and received nothing: stop all of its processes for\n\
         good, then delete this file. What the new installation has accepted or received since is not here.\n\
         \n\
         {SUCCESSOR}{successor}\n\
         {AT}{at}\n\
         {MIGRATION}{migration_id}\n"
    )
}
