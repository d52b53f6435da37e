//! Delay and padding of an encoder at the ends of an MPEG stream, if no header states them: by the decoded samples.
//!
//! At the start, a decoder's own delay is certain; whether the encoder added as much again is heard: where it did, what
//! comes before the first sound is at least 13 dB quieter than that, where it did not, it is as loud (over 390 files of two
//! encoders). At the end, padding is at most a frame. Much of it is the rest of a last overlap, which nobody can tell from
//! a quiet room: it stays. What rounds to silence in 16 bits is no sound of anybody's, and goes.

use anyhow::Result;

use super::frame_decoder::FrameDecoder;
use super::frames::{Family, Frames};
use super::runs::{N_LAST, Run};
use super::xing::{self, DECODER_DELAY, ENCODER_DELAY};

/// Half a step of 16 bits: what is below rounds to silence.
const SILENT: f32 = 1.0 / 65_536.0;
/// Sound in front that is this far below what follows is the encoder's delay, as a ratio of powers: 6 dB.
const MIN_RISE: f64 = 4.0;
/// Padding that is never longer than this stays, as every other program leaves it.
const MIN_PADDING_S: f64 = 0.03;
/// Runs with fewer frames are pieces, whose ends nobody padded.
const MIN_FRAMES: u64 = 8;
/// More runs than are joined by anyone on purpose: damage.
const MAX_RUNS: usize = 1_000;
/// Frames at the start that are listened to.
const N_FIRST: u64 = 4;

/// Settles what is dropped at the ends of the runs that do not state it.
///
/// # Errors
/// The file cannot be read, or breaks the decoder.
pub fn settle(runs: &mut [Run], frames: &mut Frames) -> Result<()> {
    if runs.len() > MAX_RUNS {
        return Ok(());
    }
    for run in runs.iter_mut().filter(|run| run.n_frames >= MIN_FRAMES) {
        if run.is_delay_usual() && run.n_trim_start() == xing::USUAL_DELAY {
            let (first, _) = decoded(run, frames, run.at(), N_FIRST)?;
            if !has_encoder_delay(&first) {
                run.set_delay(DECODER_DELAY);
            }
        }
        if run.is_end_stated() {
            continue;
        }
        let Some((at, n_frames)) = run.last_frames() else { continue };
        let longest = longest_padding(run);
        if longest as f64 <= MIN_PADDING_S * f64::from(run.rate_hz) {
            continue;
        }
        let (last, is_good) = decoded(run, frames, at, n_frames)?;
        if is_good && last.first().is_some_and(|channel| channel.len() as u64 > 2 * longest) {
            run.set_padding(padding(&last, longest));
        }
    }
    Ok(())
}

/// The most samples that an encoder of the kind adds at the end.
fn longest_padding(run: &Run) -> u64 {
    let frame = run.frame_samples(&run.header);
    match run.header.family {
        // Its delay is padded as well, and a decoder's does not come out again.
        Family::Layer(3) => frame + ENCODER_DELAY - DECODER_DELAY,
        _ => frame,
    }
}

/// The frames of a run from a position in the file on, one vector per channel; and whether the last of them is whole.
fn decoded(run: &Run, frames: &mut Frames, at: u64, n_frames: u64) -> Result<(Vec<Vec<f32>>, bool)> {
    frames.rewind(at)?;
    let mut decoder = FrameDecoder::new(run)?;
    let (mut all, mut frame, mut block) = (vec![Vec::new(); run.n_channels], Vec::new(), Vec::new());
    let mut is_good = false;
    for _ in 0..n_frames.min(N_LAST as u64) {
        let Some(header) = frames.next(&mut frame)? else { break };
        if xing::EncoderInfo::read(&header, &frame).is_some() || !header.is_like(&run.header) {
            continue;
        }
        is_good = decoder.decode(run, &header, &frame, &mut block)?;
        for (all, samples) in all.iter_mut().zip(&block) {
            all.extend_from_slice(samples);
        }
    }
    Ok((all, is_good))
}

/// Whether the first sound of a layer 3 stream comes behind the delay that most encoders add to a decoder's.
fn has_encoder_delay(first: &[Vec<f32>]) -> bool {
    let (own, whole) = (DECODER_DELAY as usize, xing::USUAL_DELAY as usize);
    let power = |from: usize, to: usize| -> f64 {
        let of = |channel: &Vec<f32>| -> f64 {
            channel.get(from..to).unwrap_or_default().iter().map(|&sample| f64::from(sample).powi(2)).sum()
        };
        first.iter().map(of).sum()
    };
    let is_silent = first.iter().all(|channel| {
        channel.get(own..whole).unwrap_or_default().iter().all(|sample| sample.abs() < SILENT)
    });
    is_silent || power(own, whole) * MIN_RISE < power(whole, 2 * whole - own)
}

/// Silence at the end that is the encoder's: all of it, if it is no longer than padding can be; else half of the longest,
/// which is nearest to whatever it was.
fn padding(last: &[Vec<f32>], longest: u64) -> u64 {
    let of = |channel: &Vec<f32>| channel.iter().rev().take_while(|sample| sample.abs() < SILENT).count();
    let n_silent = last.iter().map(of).min().unwrap_or(0) as u64;
    if n_silent < longest { n_silent } else { longest / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoders_delay_is_heard() {
        let tone = |from: usize| -> Vec<f32> {
            (0..4_000).map(|i| if i < from { 0.0 } else { 0.3 * (0.1 * i as f32).sin() }).collect()
        };
        assert!(has_encoder_delay(&[tone(1_105)]));
        assert!(has_encoder_delay(&[tone(1_090), tone(4_000)]));
        assert!(!has_encoder_delay(&[tone(529)]));
        // One channel that sounds is enough; silence could be either.
        assert!(!has_encoder_delay(&[tone(4_000), tone(529)]));
        assert!(has_encoder_delay(&[tone(4_000)]));
        assert!(has_encoder_delay(&[]));
    }

    #[test]
    fn only_silence_is_padding() {
        let with_silence = |n: usize| [vec![0.3; 2_000], vec![0.9 * SILENT; n]].concat();
        assert_eq!(padding(&[with_silence(300)], 576), 300);
        assert_eq!(padding(&[with_silence(300), with_silence(20)], 576), 20);
        assert_eq!(padding(&[with_silence(900)], 576), 288);
        assert_eq!(padding(&[vec![1.1 * SILENT; 900]], 576), 0);
        assert_eq!(padding(&[], 576), 0);
    }
}
