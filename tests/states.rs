//! The check of saved states of `fuzz/` in a bounded run; see `tests/fuzz.rs`.

#[path = "../fuzz/state_checks.rs"]
mod checks;
#[path = "support/inputs.rs"]
mod inputs;

use inputs::{altered, inputs};
use proptest::prelude::*;

/// A state with every kind of parameter, as the framework writes it.
fn states() -> Vec<Vec<u8>> {
    let state = r#"{"version":"0.1.0","params":{"limit":{"f32":24.0},"listen":{"string":"removed"},"bypass":{"bool":true},
        "deva":{"string":"native"},"mix":{"f32":0.5},"link":{"i32":1}},
        "fields":{"tacet":"{\"version\":1,\"preset\":\"Podcast\",\"window\":[800,600],\"panel\":null}"}}"#;
    vec![state.into(), br#"{"version":"","params":{},"fields":{}}"#.to_vec()]
}

proptest! {
    #![proptest_config(inputs(1_000))]

    #[test]
    fn saved_states(data in altered(states())) {
        let _ = checks::plugin_state(&data);
    }
}

/// The seeds reach what they are for.
#[test]
fn seeds_are_valid() {
    assert!(states().iter().all(|state| checks::plugin_state(state).is_ok()));
}
