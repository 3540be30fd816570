//! The adapters against the real thing behind each of them.

mod bullmq;
mod graph;
mod keys;
mod mongo;
mod sqlite;
