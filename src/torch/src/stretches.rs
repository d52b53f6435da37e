//! Hops of a chunk in a row that treat the hidden states alike.

use tacet_torch_pack::abi::StateUpdate;

/// Hops in a row, all of which advance the hidden states or all of which hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Their number; 0 for a restart behind the last hop.
    pub n_hops: i64,
    /// Whether the states are zero before the first of them.
    pub restarts: bool,
    /// Whether they hold the states.
    pub holds: bool,
}

/// The stretches of the hops `chosen`, in their order. What a hop between them does to the states, the next one finds
/// done.
pub(crate) fn stretches(updates: &[StateUpdate], chosen: impl IntoIterator<Item = usize>) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    let mut seen = 0;
    let restarts_in = |hops: &[StateUpdate]| hops.contains(&StateUpdate::RESTART);
    for hop in chosen {
        let restarts = restarts_in(&updates[seen..=hop]);
        seen = hop + 1;
        let holds = updates[hop] == StateUpdate::HOLD;
        match all.last_mut() {
            Some(stretch) if stretch.holds == holds && !restarts => stretch.n_hops += 1,
            _ => all.push(Stretch { n_hops: 1, restarts, holds }),
        }
    }
    if restarts_in(&updates[seen..]) {
        all.push(Stretch { n_hops: 0, restarts: true, holds: false });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: StateUpdate = StateUpdate::ADVANCE;
    const H: StateUpdate = StateUpdate::HOLD;
    const R: StateUpdate = StateUpdate::RESTART;

    fn of(updates: &[StateUpdate], chosen: impl IntoIterator<Item = usize>) -> Vec<(i64, bool, bool)> {
        let all = stretches(updates, chosen);
        all.iter().map(|stretch| (stretch.n_hops, stretch.restarts, stretch.holds)).collect()
    }

    #[test]
    fn hops_that_treat_the_states_alike_are_one_stretch() {
        assert_eq!(of(&[A; 5], 0..5), [(5, false, false)]);
        assert_eq!(
            of(&[A, H, H, R, A, H], 0..6),
            [(1, false, false), (2, false, true), (2, true, false), (1, false, true)]
        );
    }

    #[test]
    fn a_restart_in_a_hop_that_is_not_chosen_comes_before_the_next() {
        assert_eq!(of(&[A, R, H, A], [0, 2, 3]), [(1, false, false), (1, true, true), (1, false, false)]);
        assert_eq!(of(&[A, A, R, A], [0, 1]), [(2, false, false), (0, true, false)]);
        assert_eq!(of(&[R], []), [(0, true, false)]);
    }
}
