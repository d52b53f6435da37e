//! Denoises a stream as live audio: mono samples at 48 kHz, 32-bit float, little-endian, from standard input to
//! standard output, aligned with the input. `denoise-live reference` leaves the rules around the network out.
//!
//! `tacet denoise` hears recordings ahead; this hears what the plugin does.

use std::io::{Read, Write, stdin, stdout};

use tacet_core::denoiser::{Denoiser, Settings};
use tacet_core::engine::native::{NativeEngine, NativeModel};
use tacet_core::weights;
use tacet_model::HOP;

const SAMPLE_BYTES: usize = size_of::<f32>();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_reference = std::env::args().any(|argument| argument == "reference");
    let settings = if is_reference { Settings::reference() } else { Settings::default() };
    let engine = NativeEngine::new(NativeModel::new(&weights::embedded()?)?);
    let mut denoiser = Denoiser::new(Box::new(engine), 1, settings)?;

    let mut bytes = Vec::new();
    stdin().read_to_end(&mut bytes)?;
    let mut input: Vec<f32> =
        bytes.as_chunks::<SAMPLE_BYTES>().0.iter().map(|&sample| f32::from_le_bytes(sample)).collect();
    let (n_samples, n_late) = (input.len(), denoiser.delay_samples());
    input.resize((n_samples + n_late).next_multiple_of(HOP), 0.0);
    let mut output = vec![0.0; input.len()];
    for (input, output) in input.chunks(HOP).zip(output.chunks_mut(HOP)) {
        denoiser.process(&[input], &mut [output])?;
    }
    let aligned: Vec<u8> =
        output[n_late..n_late + n_samples].iter().flat_map(|sample| sample.to_le_bytes()).collect();
    stdout().write_all(&aligned)?;
    Ok(())
}
