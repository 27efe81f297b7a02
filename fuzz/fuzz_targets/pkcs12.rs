#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| certferry_fuzz_bodies::key_vault::pkcs12(input));
