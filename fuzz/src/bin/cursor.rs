//! Fuzzes `dakghar_testkit::fuzzed::cursor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dakghar_fuzz::cursor(bytes));
