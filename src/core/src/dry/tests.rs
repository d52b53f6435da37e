//! The share, live and ahead.

use tacet_model::HOP;

use super::*;
use crate::frame::{Complex32, SILENT_SPECTRUM};

/// A share of everything.
fn all_of(share: f32) -> Due {
    Due { share, ..Due::default() }
}

#[test]
fn a_share_glides_to_what_is_due_and_nothing_is_bit_identical() {
    let noisy = [[Complex32::new(1.0, 0.0); tacet_model::N_BINS]];
    let mut dry = DryShare::default();
    let mut out = [SILENT_SPECTRUM];
    dry.apply(&all_of(0.0), &HopPowers::of(&noisy, &out), &noisy, &mut out);
    assert_eq!(out, [SILENT_SPECTRUM]);
    let mut last = 0.0;
    for due in [0.3f32; 40].into_iter().chain([0.0; 20]) {
        out = [SILENT_SPECTRUM];
        dry.apply(&all_of(due), &HopPowers::of(&noisy, &out), &noisy, &mut out);
        assert_eq!((out[0][7].re, dry.due().share), (dry.share(), due));
        assert!((dry.share() - last).abs() <= FALL + 1e-6);
        last = dry.share();
    }
    assert_eq!(last, 0.0);
}

#[test]
fn a_deferred_share_leaves_frames_alone() {
    let noisy = [[Complex32::new(1.0, 0.0); tacet_model::N_BINS]];
    let mut dry = DryShare::default();
    dry.set_deferred(true);
    dry.reset();
    let mut out = [SILENT_SPECTRUM];
    dry.apply(&all_of(0.5), &HopPowers::of(&noisy, &out), &noisy, &mut out);
    assert_eq!((out, dry.due().share), ([SILENT_SPECTRUM], 0.5));
}

/// Input 1, output 0: what comes out is the share.
fn shares(dues: &[f32]) -> Vec<f32> {
    let mut ahead = DryAhead::new(2);
    let (mut before, mut after) = (vec![vec![0.0; HOP]; 2], vec![vec![0.0; HOP]; 2]);
    let mut shares = Vec::new();
    let mut take = |ahead: &mut DryAhead| {
        while let Some(noted) = ahead.pop(&mut before, &mut after) {
            assert!(noted.is_active, "the hop's own");
            assert!(before.iter().flatten().all(|&x| x == 1.0));
            assert_eq!(after[0], after[1]);
            shares.extend_from_slice(&after[0]);
        }
    };
    for &due in dues {
        ahead.push(
            &[[1.0; HOP], [1.0; HOP]],
            &[[0.0; HOP], [0.0; HOP]],
            Noted { dry: all_of(due), is_active: true },
        );
        take(&mut ahead);
    }
    ahead.end();
    take(&mut ahead);
    shares
}

#[test]
fn a_recording_is_judged_from_its_beginning_and_glides() {
    let mut dues = vec![0.0; 150];
    dues.extend([0.5; 300]);
    dues.extend([0.0; 300]);
    let shares = shares(&dues);
    assert_eq!(shares.len(), dues.len() * HOP);
    // Known after a second and a half: two seconds ahead, that is before the beginning.
    assert!(shares[..(450 - 200) * HOP].iter().all(|&share| share == 0.5));
    assert!(shares[(450 - 200 + 26) * HOP..].iter().all(|&share| share == 0.0));
    assert!(shares.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 1e-4));
}

#[test]
fn a_short_recording_is_judged_by_all_of_it() {
    let mut dues = vec![0.0; 70];
    dues.extend([0.9; 10]);
    assert_eq!(shares(&dues), vec![0.9; 80 * HOP]);
    assert_eq!(shares(&[0.0; 80]), vec![0.0; 80 * HOP]);
}

/// Noise between -1 and 1, the same for a sample's number.
fn noise(at: usize) -> f32 {
    ((at as u32).wrapping_mul(0x9e37_79b9) >> 8) as f32 / (1 << 23) as f32 - 1.0
}

#[test]
fn bands_of_a_recording_are_let_through_by_their_power() {
    // All of what is loud enough, nothing of the rest: input 1, output 0.
    let loud = BandShares { loud: 1.0, ..BandShares::default() };
    let audible = BandShares { audible: 1.0, ..BandShares::default() };
    for (shares, noise_power, share) in
        [(loud, 1e-12, 1.0f32), (loud, 1e12, 0.0), (audible, 1e-12, 1.0), (audible, 1e12, 0.0)]
    {
        let bands = BandsDue { shares, noise: [noise_power; N_BANDS], audible: 1.25, loud: 10.0 };
        let mut ahead = DryAhead::new(1);
        let (mut before, mut after) = (vec![vec![0.0; HOP]; 1], vec![vec![0.0; HOP]; 1]);
        let mut out = Vec::new();
        let mut take = |ahead: &mut DryAhead| {
            while ahead.pop(&mut before, &mut after).is_some() {
                out.extend_from_slice(&after[0]);
            }
        };
        for hop in 0..300 {
            let samples: [f32; HOP] = std::array::from_fn(|i| noise(hop * HOP + i));
            // Known from the middle on, and no longer at the end.
            let dry =
                if (250..280).contains(&hop) { Due { bands, ..Due::default() } } else { Due::default() };
            ahead.push(&[samples], &[[0.0; HOP]], Noted { dry, is_active: true });
            take(&mut ahead);
        }
        ahead.end();
        take(&mut ahead);
        assert_eq!(out.len(), 300 * HOP);
        assert!(out[..49 * HOP].iter().all(|&y| y == 0.0), "before anything is known");
        assert!(out[131 * HOP..].iter().all(|&y| y == 0.0), "long after the end");
        // Three tenths of a second on the way.
        let error = (79 * HOP..80 * HOP).map(|i| (out[i] - 0.3 * share * noise(i)).abs()).fold(0.0, f32::max);
        assert!(error < 0.02, "{error} at {share}");
    }
}
