//! Fuzzes `dakghar_testkit::fuzzed::webhook_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dakghar_fuzz::webhook_body(bytes));
