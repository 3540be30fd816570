//! The load generator of the benchmark.
fn main() {}
