#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cabas_tests::fuzzed::target("local_api")(bytes));
