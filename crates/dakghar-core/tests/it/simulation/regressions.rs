//! Runs that once broke a promise.
