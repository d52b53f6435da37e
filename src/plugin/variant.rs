//! The two plugins of the bundle, which differ in their outputs alone, and the audio layouts of each.
//!
//! Hosts sum or show every output of a plugin that they load: the one with the removed signal in a second output is
//! therefore a plugin of its own. Parameters, panel and states are the same.

use std::ffi::CStr;
use std::num::NonZeroU32;
use std::ops::Range;

use nice_plug::prelude::{AudioIOLayout, PortNames};

/// One of the two plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// One output: the denoised signal.
    Denoised,
    /// Two outputs: the denoised signal, and the signal that was removed from the input.
    VoiceAndRemoved,
}

/// Name of the second output.
const REMOVED: &str = "Removed";

/// A layout without a second output.
const fn denoised(n_in: u32, n_out: u32) -> AudioIOLayout {
    AudioIOLayout {
        main_input_channels: NonZeroU32::new(n_in),
        main_output_channels: NonZeroU32::new(n_out),
        ..AudioIOLayout::const_default()
    }
}

/// A layout whose second output has as many channels as the first: `n` has one element, their number.
const fn voice_and_removed(layout: &'static str, n: &'static [NonZeroU32; 1]) -> AudioIOLayout {
    AudioIOLayout {
        main_input_channels: Some(n[0]),
        main_output_channels: Some(n[0]),
        aux_output_ports: n,
        names: PortNames {
            layout: Some(layout),
            main_output: Some("Voice"),
            aux_outputs: &[REMOVED],
            ..AudioIOLayout::const_default().names
        },
        ..AudioIOLayout::const_default()
    }
}

const ONE: NonZeroU32 = NonZeroU32::MIN;
const TWO: NonZeroU32 = ONE.saturating_add(1);

/// The layouts of both, those of each in one run.
pub const LAYOUTS: &[AudioIOLayout] = &[
    denoised(2, 2),
    denoised(1, 1),
    // One channel is heard, and goes to both.
    denoised(1, 2),
    voice_and_removed("Stereo, voice + removed", &[TWO]),
    voice_and_removed("Mono, voice + removed", &[ONE]),
];
/// Number of layouts of the first plugin.
const N_DENOISED: usize = 3;

impl Variant {
    /// Both, in the order in which hosts list them.
    pub const ALL: [Self; 2] = [Self::Denoised, Self::VoiceAndRemoved];

    /// The identifier in CLAP. Projects name it: never change it.
    pub fn clap_id(self) -> &'static CStr {
        match self {
            Self::Denoised => c"audio.tacet.tacet",
            Self::VoiceAndRemoved => c"audio.tacet.tacet.voice-and-removed",
        }
    }

    /// Its name in hosts.
    pub fn name(self) -> &'static CStr {
        match self {
            Self::Denoised => c"Tacet",
            Self::VoiceAndRemoved => c"Tacet (voice + removed)",
        }
    }

    /// Its name in hosts, as text.
    pub fn name_text(self) -> &'static str {
        self.name().to_str().unwrap_or_default()
    }

    /// Its layouts, as indices of [`LAYOUTS`]; the first is the default.
    pub fn layouts(self) -> Range<usize> {
        match self {
            Self::Denoised => 0..N_DENOISED,
            Self::VoiceAndRemoved => N_DENOISED..LAYOUTS.len(),
        }
    }

    /// Number of outputs.
    pub fn n_outputs(self) -> usize {
        1 + LAYOUTS[self.layouts().start].aux_output_ports.len()
    }
}

#[cfg(test)]
mod tests {
    use nice_plug::prelude::{ClapPlugin as _, Plugin as _};

    use super::*;
    use crate::plugin::Tacet;

    #[test]
    fn the_first_is_the_framework_s_and_layouts_belong_to_one_each() {
        assert_eq!(Variant::Denoised.clap_id().to_bytes(), Tacet::CLAP_ID.as_bytes());
        assert_eq!(Variant::Denoised.name_text(), Tacet::NAME);
        for (variant, n_outputs) in Variant::ALL.into_iter().zip([1, 2]) {
            assert_eq!(variant.n_outputs(), n_outputs);
            assert!(
                LAYOUTS[variant.layouts()]
                    .iter()
                    .all(|layout| layout.aux_output_ports.len() == n_outputs - 1)
            );
        }
        let n_layouts: usize = Variant::ALL.iter().map(|variant| variant.layouts().len()).sum();
        assert_eq!(n_layouts, LAYOUTS.len());
    }
}
