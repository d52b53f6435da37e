//! The factory's presets. A preset sets what decides the sound and the delay, and leaves output gain, listening, bypass and
//! devices as they are.

use serde::{Deserialize, Serialize};

/// What a preset sets, in the parameters' units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Values {
    /// Attenuation limit, in dB, 0..=100.
    pub limit_db: f32,
    /// Share of the denoised signal, 0..=1.
    pub mix: f32,
    /// Post filter, 0..=0.05.
    pub post_filter: f32,
    /// Local SNR below which a frame is noise alone, in dB.
    pub min_snr_db: f32,
    /// Local SNR above which a frame is clean, in dB.
    pub max_erb_db: f32,
    /// Local SNR above which the mask alone works, in dB.
    pub max_df_db: f32,
    /// Mask link, as the parameter's identifier.
    pub link: String,
    /// Latency mode, as the parameter's identifier.
    pub latency_mode: String,
}

impl Default for Values {
    /// The parameters' defaults.
    fn default() -> Self {
        Self {
            limit_db: 100.0,
            mix: 1.0,
            post_filter: 0.0,
            min_snr_db: -15.0,
            max_erb_db: 35.0,
            max_df_db: 35.0,
            link: "mean".into(),
            latency_mode: "safe".into(),
        }
    }
}

/// A named set of values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    /// What the user reads.
    pub name: String,
    /// What it sets.
    pub values: Values,
}

/// The factory's presets.
pub fn factory() -> Vec<Preset> {
    let preset = |name: &str, values: Values| Preset { name: name.into(), values };
    vec![
        // Everything the network takes for noise goes; the post filter darkens what remains in the pauses.
        preset("Podcast", Values { post_filter: 0.02, ..Values::default() }),
        // Room tone stays, 18 dB down: nothing pumps, and edits do not fall into a hole.
        preset("Voice-over, gentle", Values { limit_db: 18.0, ..Values::default() }),
        // Wind and traffic can be as loud as speech; a little of the place keeps it believable. The larger mask keeps the
        // stereo image of a moving source.
        preset("Field recording", Values { limit_db: 30.0, link: "max".into(), ..Values::default() }),
        // For monitoring: no slack, and enough left for the speaker to hear the room.
        preset("Live mic", Values { limit_db: 40.0, latency_mode: "lowest".into(), ..Values::default() }),
        // Frames that are clean stay as they are, and the limit spares what the network takes for noise and is music.
        preset(
            "Music-safe",
            Values {
                limit_db: 12.0,
                max_erb_db: 20.0,
                max_df_db: 10.0,
                link: "max".into(),
                ..Values::default()
            },
        ),
    ]
}
