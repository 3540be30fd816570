//! Access tokens: looked at when they are given and once a day, told of before their end, renewed where Meta does that.

mod apps;
mod given;
mod watch;

pub(in crate::app) use apps::AppSecrets;
pub(in crate::app) use given::TokenChecks;
pub use watch::{TokenPass, TokenStep, TokenWatch};
