//! Data transferred to the device for one step: one run of float32 for a whole batch.
//!
//! Inputs `[rows][416]`, then the three thresholds `[3][rows]` and the state update `[rows]` (0, 1 or 2, as in the ABI),
//! then row numbers `[4 + 5][rows]`: the state row to read, the one to write, the leader's place in the batch, the ring
//! row to write, and the five ring rows to read, oldest first and all five of a lane together. Row numbers are exact in
//! float32.

use tacet_torch_pack::abi::{Lane, N_INPUT, StateUpdate};

use crate::network::RING;

/// Rows of a lane in the ring.
const N_RING: usize = RING as usize;
/// Most lanes whose row numbers are exact in float32.
pub(crate) const MAX_EXACT_LANES: usize = (1 << 24) / N_RING - 2;
/// Settings of a row: three thresholds and the update.
pub(crate) const N_SETTINGS: usize = 4;
/// Values of a row in the packed upload.
pub(crate) const PACKED: usize = N_INPUT + N_SETTINGS + 4 + N_RING;

/// The owners of the rows of the device's two matrices. Beside the lanes' own there is an unused lane, which the
/// spare rows of a batch write to, and one row that is zero for ever.
#[derive(Debug)]
pub(crate) struct LaneTable {
    clocks: Vec<Clock>,
}

/// Position of a lane's ring.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    /// Place of the newest input, 0..5.
    newest: usize,
    /// Places that hold inputs of this stream, up to five.
    n_valid: usize,
}

impl LaneTable {
    pub fn new(n_lanes: usize) -> Self {
        Self { clocks: vec![Clock::default(); n_lanes] }
    }

    pub fn len(&self) -> usize {
        self.clocks.len()
    }

    /// Rows of the ring: five a lane, five of the unused lane, one of zeros.
    pub(crate) fn n_ring_rows(&self) -> usize {
        self.zero_ring_row() + 1
    }

    /// Rows of the state: one a lane, one of the unused lane, one of zeros.
    pub(crate) fn n_state_rows(&self) -> usize {
        self.len() + 2
    }

    fn zero_ring_row(&self) -> usize {
        (self.len() + 1) * N_RING
    }

    /// Writes the upload of a batch of `rows`, at least as many as lanes, and moves the lanes' rings on.
    pub fn pack(&mut self, rows: usize, lanes: &[Lane], input: &[f32], packed: &mut [f32]) {
        let (inputs, rest) = packed.split_at_mut(rows * N_INPUT);
        let (settings, numbers) = rest.split_at_mut(rows * N_SETTINGS);
        inputs[..input.len()].copy_from_slice(input);
        inputs[input.len()..].fill(0.0);
        let (unused, zero_state, zero_ring) = (self.len(), self.len() + 1, self.zero_ring_row());
        let (single, reads) = numbers.split_at_mut(rows * 4);
        let mut put = |row: usize, of_row: [f32; N_SETTINGS], rows_of: [usize; 4], ring: [usize; N_RING]| {
            for (i, setting) in of_row.into_iter().enumerate() {
                settings[i * rows + row] = setting;
            }
            for (i, number) in rows_of.into_iter().enumerate() {
                single[i * rows + row] = number as f32;
            }
            for (read, number) in reads[row * N_RING..][..N_RING].iter_mut().zip(ring) {
                *read = number as f32;
            }
        };
        for (row, lane) in lanes.iter().enumerate() {
            let number = lane.number as usize;
            let clock = &mut self.clocks[number];
            if lane.reset != 0 {
                *clock = Clock::default();
            }
            clock.newest = (clock.newest + 1) % N_RING;
            clock.n_valid = (clock.n_valid + 1).min(N_RING);
            let ring = std::array::from_fn(|i| {
                let hops_ago = N_RING - 1 - i;
                let place = (clock.newest + N_RING - hops_ago) % N_RING;
                if hops_ago < clock.n_valid { number * N_RING + place } else { zero_ring }
            });
            let from = if lane.reset != 0 { zero_state } else { number };
            let settings = [lane.min_db, lane.max_erb_db, lane.max_df_db, lane.update.0 as f32];
            put(row, settings, [from, number, lane.leader as usize, number * N_RING + clock.newest], ring);
        }
        for row in lanes.len()..rows {
            let advance = StateUpdate::ADVANCE.0 as f32;
            let settings = [f32::NEG_INFINITY, f32::INFINITY, f32::INFINITY, advance];
            put(row, settings, [zero_state, unused, row, unused * N_RING], [zero_ring; N_RING]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(packed: &[f32], rows: usize, row: usize) -> Vec<usize> {
        packed[rows * (N_INPUT + N_SETTINGS + 4) + row * N_RING..][..N_RING]
            .iter()
            .map(|&number| number as usize)
            .collect()
    }

    #[test]
    fn a_new_lane_reads_zeros_before_its_first_input() {
        let mut table = LaneTable::new(2);
        let mut packed = vec![f32::NAN; 2 * PACKED];
        let lane = Lane { number: 1, reset: 1, ..Lane::default() };
        table.pack(2, &[lane], &[1.0; N_INPUT], &mut packed);
        let zero = table.zero_ring_row();
        assert_eq!(reads(&packed, 2, 0), [zero, zero, zero, zero, 6]);
        assert_eq!(reads(&packed, 2, 1), [zero; N_RING]);
        assert!(packed.iter().all(|value| !value.is_nan()), "every value is written");
        let state_rows = &packed[2 * (N_INPUT + N_SETTINGS)..][..4];
        assert_eq!(state_rows, [3.0, 3.0, 1.0, 2.0], "reads zeros twice, writes its own and the unused lane");
    }

    #[test]
    fn a_ring_keeps_the_last_five_inputs_in_order() {
        let mut table = LaneTable::new(1);
        let mut packed = vec![0.0; PACKED];
        let mut written = Vec::new();
        for hop in 0..12 {
            let lane = Lane { number: 0, reset: u32::from(hop == 0), ..Lane::default() };
            table.pack(1, &[lane], &[0.0; N_INPUT], &mut packed);
            written.push(packed[N_INPUT + N_SETTINGS + 3] as usize);
            let expected: Vec<_> = (0..N_RING)
                .map(|i| (hop + 1 + i).checked_sub(N_RING).map_or(table.zero_ring_row(), |at| written[at]))
                .collect();
            assert_eq!(reads(&packed, 1, 0), expected, "hop {hop}");
        }
    }
}
