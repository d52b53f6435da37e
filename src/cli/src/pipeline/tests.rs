//! Length, alignment and content of what comes through, at every rate.

use tacet_realtime::random::Random;

use super::*;

/// Delays by whole hops and does nothing else, some hops at a time.
struct Delay {
    n_hops: usize,
    /// Taken and not given.
    inside: VecDeque<Vec<Vec<f32>>>,
    /// Of these the first are ready.
    n_ready: usize,
    chunk_hops: usize,
}

impl Delay {
    /// A delay of `n_hops` hops, worked on when `chunk_hops` have come together.
    fn new(n_hops: usize, n_channels: usize, chunk_hops: usize) -> Self {
        let inside = vec![vec![vec![0.0; HOP]; n_channels]; n_hops].into();
        Self { n_hops, inside, n_ready: n_hops, chunk_hops }
    }
}

impl HopProcessor for Delay {
    fn delay_samples(&self) -> usize {
        self.n_hops * HOP
    }

    fn push(&mut self, input: &[&[f32]]) -> Result<()> {
        self.inside.push_back(input.iter().map(|channel| channel.to_vec()).collect());
        if self.inside.len() >= self.n_ready + self.chunk_hops { self.flush() } else { Ok(()) }
    }

    fn pop(&mut self, output: &mut [Vec<f32>]) -> Result<bool> {
        if self.n_ready == 0 {
            return Ok(false);
        }
        self.n_ready -= 1;
        output.clone_from_slice(&self.inside.pop_front().expect("as many are ready"));
        Ok(true)
    }

    fn flush(&mut self) -> Result<()> {
        self.n_ready = self.inside.len();
        Ok(())
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn wait(&mut self) -> Result<bool> {
        Ok(false)
    }
}

/// Notes what it sees of channel 0.
#[derive(Default)]
struct Notes {
    /// Channel 0 before.
    before: Vec<f32>,
    /// Channel 0 after.
    after: Vec<f32>,
}

impl Observer for Notes {
    fn hop(&mut self, before: &[&[f32]], after: &[&[f32]]) {
        self.before.extend_from_slice(before[0]);
        self.after.extend_from_slice(after[0]);
    }
}

/// Noise that falls off from an eighth of the sample rate on, or by `softness` lower.
fn soft_signal(n_samples: usize, seed: u32, softness: f32) -> Vec<f32> {
    let mut random = Random(seed);
    let mut smooth = [0.0_f32; 4];
    (0..n_samples)
        .map(|_| {
            let mut value = random.sample();
            for stage in &mut smooth {
                *stage += 0.25 / softness * (value - *stage);
                value = *stage;
            }
            value
        })
        .collect()
}

fn signal(n_samples: usize, seed: u32) -> Vec<f32> {
    soft_signal(n_samples, seed, 1.0)
}

fn run(input: &[Vec<f32>], rate_hz: u32, n_hops: usize, block: usize) -> (Vec<Vec<f32>>, Notes) {
    let delay = Delay::new(n_hops, input.len(), 1 + block % 7);
    let mut pipeline = Pipeline::new(rate_hz, input.len(), Box::new(delay)).unwrap();
    let mut output = vec![Vec::new(); input.len()];
    let mut notes = Notes::default();
    let mut sink = |channels: &[&[f32]]| {
        for (all, block) in output.iter_mut().zip(channels) {
            all.extend_from_slice(block);
        }
        Ok(())
    };
    let n_samples = input[0].len();
    for start in (0..n_samples).step_by(block) {
        let part: Vec<&[f32]> =
            input.iter().map(|channel| &channel[start..(start + block).min(n_samples)]).collect();
        pipeline.push(&part, &mut notes, &mut sink).unwrap();
    }
    assert_eq!(pipeline.n_in(), n_samples as u64);
    pipeline.finish(&mut notes, &mut sink).unwrap();
    (output, notes)
}

#[test]
fn at_48_khz_the_output_is_bit_identical_to_the_input() {
    for n_hops in [1, 3] {
        for n_samples in [0, 1, 479, 480, 481, 1439, 1440, 1441, 48_001] {
            let input = vec![signal(n_samples, 1), signal(n_samples, 2)];
            let (output, notes) = run(&input, 48_000, n_hops, 777);
            assert_eq!(output, input, "{n_samples} samples, {n_hops} hops");
            assert_eq!((&notes.before, &notes.after), (&input[0], &input[0]));
        }
    }
}

/// Length, alignment and content at every rate. Away from the ends the error is the resamplers'; at the ends a
/// signal that begins or stops at full level has its edge smoothed, so they are left out. Observed: 70 dB and more,
/// what the signal holds in the top 5 % of the band.
#[test]
fn other_rates_keep_length_and_time() {
    for rate_hz in [8_000, 11_025, 16_000, 22_050, 44_100, 96_000, 192_000] {
        for n_samples in [0, 1, 479, 480, 481, 30_001] {
            let softness = (rate_hz as f32 / 48_000.0).max(1.0);
            let input = vec![soft_signal(n_samples, 3, softness)];
            let (output, notes) = run(&input, rate_hz, 3, 1000);
            assert_eq!(output[0].len(), n_samples, "{rate_hz} Hz");
            assert_eq!(notes.after.len() as u64, n_resampled(n_samples as u64, rate_hz, 48_000));
            if n_samples > 10_000 {
                let inner = 4_000..n_samples - 4_000;
                let power: f64 = input[0][inner.clone()].iter().map(|&s| f64::from(s).powi(2)).sum();
                let error: f64 = inner.map(|i| f64::from(output[0][i] - input[0][i]).powi(2)).sum();
                let snr_db = 10.0 * (power / error).log10();
                println!("{rate_hz} Hz: {snr_db:.1} dB");
                assert!(snr_db > 60.0, "{rate_hz} Hz: {snr_db:.1} dB");
            }
        }
    }
}

#[test]
fn any_partition_into_blocks_gives_the_same_samples() {
    let input = vec![signal(9_999, 4), signal(9_999, 5)];
    let (whole, _) = run(&input, 44_100, 3, 9_999);
    for block in [1, 37, 480, 1_152] {
        assert_eq!(run(&input, 44_100, 3, block).0, whole, "blocks of {block}");
    }
}
