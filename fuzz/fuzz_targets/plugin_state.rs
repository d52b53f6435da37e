//! libFuzzer on the check of the same name in `state_checks.rs`.

#![no_main]

#[path = "../state_checks.rs"]
#[allow(dead_code, reason = "every target runs one of the checks")]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(checks::plugin_state(data)));
