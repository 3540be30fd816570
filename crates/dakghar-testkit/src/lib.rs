//! For tests only: what the tests of the other crates are made of.

pub mod servers;
