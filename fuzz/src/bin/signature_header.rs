//! Fuzzes `dakghar_testkit::fuzzed::signature_header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dakghar_fuzz::signature_header(bytes));
