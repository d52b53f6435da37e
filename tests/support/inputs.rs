//! Inputs for the checks of `fuzz/` in bounded runs: how many, and how they are made.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// `n` inputs, unless `TACET_FUZZ_INPUTS` gives another number. Nothing is written to the source tree: a failure prints its
/// input.
pub fn inputs(n: u32) -> ProptestConfig {
    let given = std::env::var("TACET_FUZZ_INPUTS").ok();
    let cases = given.map_or(n, |given| given.parse().expect("TACET_FUZZ_INPUTS is a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Any bytes, or one of the seeds with some bytes replaced, removed or doubled.
pub fn altered(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), any::<u8>(), 0..4u8, 0..64usize);
    let of_seed = (select(seeds), prop::collection::vec(edit, 0..12)).prop_map(|(mut bytes, edits)| {
        for (at, value, kind, n) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            let end = (at + n).min(bytes.len());
            match kind {
                0 => bytes[at] = value,
                1 => bytes[at] ^= 1 << (value % 8),
                2 => drop(bytes.drain(at..end)),
                _ => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
        }
        bytes
    });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..2048), 3 => of_seed]
}
