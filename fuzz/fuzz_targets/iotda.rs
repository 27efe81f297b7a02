#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| certferry_fuzz_bodies::iotda::contract(input));
