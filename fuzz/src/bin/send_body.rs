//! Fuzzes `dakghar_testkit::fuzzed::send_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dakghar_fuzz::send_body(bytes));
