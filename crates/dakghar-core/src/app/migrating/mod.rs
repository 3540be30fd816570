//! Moving an installation from one store to another.

mod error;
mod migrator;
mod progress;

pub use error::MigrateError;
pub use migrator::Migrator;
pub use progress::{Phase, Plan, Progress, Report};
