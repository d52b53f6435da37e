//! Parameters as options, with the names that they have in `tacet denoise` and `tacet mic`.

use tacet::parameters::{Choice, ParamId};
use tacet::params::presets::{PresetValue, PresetValues};

use tacet::device::Device;
use tacet::enhance::StereoLink;
use tacet::latency::LatencyMode;
use tacet::limit::N_HANDLES;
use tacet::model::ModelKind;

/// See the module. What is not said is as it was when the program last ran.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Parameters [default: as last used]")]
pub struct Parameters {
    #[arg(long, value_name = "DB", help = ParamId::Limit.spec().plain_help(), allow_negative_numbers = true, value_parser = ParamId::Limit.reader())]
    attenuation_limit: Option<f32>,
    #[arg(long, value_name = "BETA", help = ParamId::PostFilter.spec().plain_help(), allow_negative_numbers = true, value_parser = ParamId::PostFilter.reader())]
    post_filter: Option<f32>,
    #[arg(long, value_name = "DB", help = ParamId::MinSnr.spec().plain_help(), allow_negative_numbers = true, value_parser = ParamId::MinSnr.reader())]
    min_db: Option<f32>,
    #[arg(long, value_name = "DB", help = ParamId::MaxErb.spec().plain_help(), allow_negative_numbers = true, value_parser = ParamId::MaxErb.reader())]
    max_erb_db: Option<f32>,
    #[arg(long, value_name = "DB", help = ParamId::MaxDf.spec().plain_help(), allow_negative_numbers = true, value_parser = ParamId::MaxDf.reader())]
    max_df_db: Option<f32>,
    #[arg(long, value_name = "PERCENT", help = ParamId::Mix.spec().plain_help(), allow_negative_numbers = true, value_parser = ParamId::Mix.reader())]
    mix: Option<f32>,
    #[arg(long, value_name = "DB", help = ParamId::OutputGain.spec().plain_help(), allow_negative_numbers = true, value_parser = ParamId::OutputGain.reader())]
    gain_db: Option<f32>,
    #[arg(long, value_name = "DB", help = ParamId::Voice.spec().plain_help(), allow_negative_numbers = true, value_parser = ParamId::Voice.reader())]
    voice: Option<f32>,
    #[arg(long, value_name = "none|DB", help = ParamId::Ambience.spec().plain_help(), allow_negative_numbers = true, value_parser = ParamId::Ambience.reader())]
    ambience: Option<f32>,
    #[arg(long, value_name = "MS", help = ParamId::Hold.spec().plain_help(), value_parser = ParamId::Hold.reader())]
    hold: Option<f32>,
    #[arg(long, value_name = "MS", help = ParamId::Release.spec().plain_help(), value_parser = ParamId::Release.reader())]
    release: Option<f32>,
    #[arg(long, value_name = "DB,DB,DB,DB,DB,DB", help = ParamId::limits_help(), value_parser = ParamId::parse_limits)]
    limit_curve: Option<[f32; N_HANDLES]>,
    #[arg(long, value_name = "LINK", help = ParamId::Link.spec().plain_help(), value_parser = one_of::<StereoLink>())]
    stereo_link: Option<String>,
    #[arg(long, value_name = "MODE", help = ParamId::LatencyMode.spec().plain_help(), value_parser = one_of::<LatencyMode>())]
    latency: Option<String>,
    /// DeepFilterNet3 (dfn3), or its low-latency variant (dfn3-ll), which `tacet model install ll` gets
    #[arg(long, value_name = "MODEL", value_parser = one_of::<ModelKind>())]
    model: Option<String>,
    #[arg(long, value_name = "DEVICE", help = ParamId::DeviceA.spec().plain_help(), value_parser = listed_device)]
    device: Option<Device>,
}

/// The identifier of one of a parameter's choices.
fn one_of<T: Choice>() -> clap::builder::PossibleValuesParser {
    T::ALL.iter().map(|choice| choice.choice_id()).into()
}

/// A device that the panel lists. It knows the first NVIDIA GPU alone.
fn listed_device(text: &str) -> Result<Device, String> {
    let device: Device = text.parse()?;
    let known = || Device::ALL.iter().map(|device| device.id()).collect::<Vec<_>>().join(", ");
    if Device::ALL.contains(&device) { Ok(device) } else { Err(format!("the window knows {}", known())) }
}

impl Parameters {
    /// The given values, as the parameters take them.
    pub fn values(&self) -> PresetValues {
        let numbers = [
            (ParamId::Limit, self.attenuation_limit),
            (ParamId::PostFilter, self.post_filter),
            (ParamId::MinSnr, self.min_db),
            (ParamId::MaxErb, self.max_erb_db),
            (ParamId::MaxDf, self.max_df_db),
            (ParamId::Mix, self.mix),
            (ParamId::OutputGain, self.gain_db),
            (ParamId::Voice, self.voice),
            (ParamId::Ambience, self.ambience),
            (ParamId::Hold, self.hold),
            (ParamId::Release, self.release),
        ];
        let choices = [
            (ParamId::Link, self.stereo_link.clone()),
            (ParamId::LatencyMode, self.latency.clone()),
            (ParamId::Model, self.model.clone()),
            (ParamId::DeviceA, self.device.map(|device| device.choice_id().to_owned())),
        ];
        let limits = ParamId::LIMITS.into_iter().enumerate();
        let limits = limits.map(|(i, id)| (id, self.limit_curve.map(|limits| limits[i])));
        let numbers = numbers
            .into_iter()
            .chain(limits)
            .filter_map(|(id, value)| Some((id, PresetValue::Number(value?))));
        let choices = choices.into_iter().filter_map(|(id, value)| Some((id, PresetValue::Choice(value?))));
        numbers.chain(choices).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tacet::params::TacetParams;
    use tacet::params::presets::OfParams as _;

    use super::super::Options;
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("tacet-live").chain(line.split_whitespace()))
    }

    #[test]
    fn every_option_reaches_its_parameter() {
        let line = "--attenuation-limit 12 --post-filter 0.02 --min-db -10 --max-erb-db 30 --max-df-db 20 --mix 50 \
                    --gain-db -3 --voice 6 --ambience -20 --hold 100 --release 200 --limit-curve 12,12,18,24,30,none --stereo-link mean --latency lowest --model dfn3-ll --device native16";
        let params = TacetParams::default();
        parse(line).unwrap().parameters.values().start(&params);
        let controls = params.controls();
        assert!((controls.shaping.attenuation_limit_db - 12.0).abs() < 0.05);
        assert!((controls.thresholds.min_db + 10.0).abs() < 0.05 && (controls.mix - 0.5).abs() < 1e-3);
        assert_eq!(controls.shaping.link, StereoLink::Mean);
        assert!((controls.voice_gain - 2.0).abs() < 0.01 && (controls.ambience_gain - 0.1).abs() < 1e-3);
        assert_eq!(controls.shaping.limits_db, [12.0, 12.0, 18.0, 24.0, 30.0, 100.0]);
        assert_eq!(controls.shaping.closing, tacet::tails::Closing { hold_ms: 100.0, release_ms: 200.0 });
        assert_eq!(params.latency_mode(), LatencyMode::Lowest);
        assert_eq!(params.model(), ModelKind::DeepFilterNet3Ll);
        assert_eq!(params.devices().0, Device::Native16);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for wrong in
            ["--attenuation-limit 101", "--mix 101", "--latency fast", "--model dfn4", "--device moon"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        // A second GPU, which the panel does not list, is not taken for the CPU.
        let error = parse("--device cuda:1").unwrap_err().to_string();
        assert!(error.contains("native, native16, cpu, mps, cuda"), "{error}");
        assert_eq!(parse("").unwrap().parameters.values(), PresetValues::default());
    }
}
