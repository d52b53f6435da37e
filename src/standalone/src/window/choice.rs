//! Choice of audio devices: a real input, and a short buffer that both sides support. Pure functions.

use std::ops::RangeInclusive;

/// Sample rate that is taken where both devices have it: the network's own.
const RATE_HZ: u32 = 48_000;
/// Samples per callback that are taken where both devices have them: 5 ms.
const BUFFER: u32 = 256;

/// A format that a device has.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    /// Channels.
    pub n_channels: usize,
    /// Sample rates, in hertz.
    pub rate_hz: RangeInclusive<u32>,
    /// Samples per callback.
    pub buffer: RangeInclusive<u32>,
}

/// A device.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What it has.
    pub formats: Vec<Format>,
}

/// All devices of an audio system.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Devices {
    /// Those that deliver sound.
    pub inputs: Vec<Device>,
    /// Those that take sound.
    pub outputs: Vec<Device>,
    /// The system's own choice of input.
    pub default_input: Option<String>,
    /// The system's own choice of output.
    pub default_output: Option<String>,
}

/// A JACK server that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Jack {
    /// Its sample rate, in hertz.
    pub rate_hz: usize,
    /// Its samples per callback.
    pub buffer: u32,
    /// Ports of sound cards that deliver sound, in order.
    pub inputs: Vec<String>,
    /// Ports of sound cards that take sound, in order.
    pub outputs: Vec<String>,
}

/// What the user asks for; what is not said is chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    /// Input device.
    pub input: Option<String>,
    /// Output device.
    pub output: Option<String>,
    /// Sample rate, in hertz.
    pub rate_hz: Option<u32>,
    /// Samples per callback.
    pub buffer: Option<u32>,
}

/// What is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Input device.
    pub input: String,
    /// Output device.
    pub output: String,
    /// Channels of the input: 2 where it has them, else 1.
    pub n_channels: usize,
    /// Sample rate, in hertz.
    pub rate_hz: u32,
    /// Samples per callback.
    pub buffer: u32,
}

/// Why there is nothing to take.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No device delivers sound.
    #[error(
        "no audio input device was found: connect a microphone or allow this program to use it, then see `tacet live --list`"
    )]
    NoInput,
    /// No device takes sound.
    #[error("no audio output device was found: connect one, then see `tacet live --list`")]
    NoOutput,
    /// The device that the user names is not there.
    #[error("there is no {what} device `{name}`: `tacet live --list` shows those that are")]
    Unknown {
        /// Input or output.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The two devices have nothing in common.
    #[error(
        "{input} and {output} have no sample rate and buffer in common{asked}: choose other devices or values"
    )]
    Incompatible {
        /// Input device.
        input: String,
        /// Output device.
        output: String,
        /// What the user insists on.
        asked: String,
    },
}

/// Chooses devices and format.
///
/// # Errors
/// There is nothing to choose.
pub fn choose(devices: &Devices, wishes: &Wishes) -> Result<Choice, Refusal> {
    let input = pick(&devices.inputs, &wishes.input, &devices.default_input, "input", Refusal::NoInput)?;
    let output =
        pick(&devices.outputs, &wishes.output, &devices.default_output, "output", Refusal::NoOutput)?;
    for n_channels in [2, 1] {
        let sources = input.formats.iter().filter(|format| format.n_channels == n_channels);
        for source in sources {
            for sink in &output.formats {
                let rate_hz = common(&source.rate_hz, &sink.rate_hz, wishes.rate_hz, RATE_HZ);
                let buffer = common(&source.buffer, &sink.buffer, wishes.buffer, BUFFER);
                if let (Some(rate_hz), Some(buffer)) = (rate_hz, buffer) {
                    let (input, output) = (input.name.clone(), output.name.clone());
                    return Ok(Choice { input, output, n_channels, rate_hz, buffer });
                }
            }
        }
    }
    let rate = wishes.rate_hz.map(|rate_hz| format!(" at {rate_hz} Hz"));
    let buffer = wishes.buffer.map(|buffer| format!(" with {buffer} samples"));
    let asked = [rate, buffer].into_iter().flatten().collect();
    Err(Refusal::Incompatible { input: input.name.clone(), output: output.name.clone(), asked })
}

fn pick<'a>(
    devices: &'a [Device],
    wish: &Option<String>,
    default: &Option<String>,
    what: &'static str,
    none: Refusal,
) -> Result<&'a Device, Refusal> {
    let of_name = |name: &str| devices.iter().find(|device| device.name == name);
    match wish {
        Some(name) => of_name(name).ok_or_else(|| Refusal::Unknown { what, name: name.clone() }),
        None => default.as_deref().and_then(of_name).or(devices.first()).ok_or(none),
    }
}

/// A value that both have: the one that is asked for, or the nearest to the preferred one.
fn common(
    a: &RangeInclusive<u32>,
    b: &RangeInclusive<u32>,
    asked: Option<u32>,
    preferred: u32,
) -> Option<u32> {
    let (low, high) = (*a.start().max(b.start()), *a.end().min(b.end()));
    let value = asked.unwrap_or(preferred.clamp(low.min(high), high));
    (low..=high).contains(&value).then_some(value)
}

/// The JACK ports to take the input from: the first two of the sound card, or those that are named, with commas between.
///
/// # Errors
/// There are none.
pub fn jack_inputs(jack: &Jack, wish: Option<&str>) -> Result<String, Refusal> {
    if let Some(wish) = wish {
        return match wish.split(',').find(|port| !jack.inputs.iter().any(|input| input == port)) {
            Some(unknown) => Err(Refusal::Unknown { what: "input", name: unknown.into() }),
            None => Ok(wish.into()),
        };
    }
    match jack.inputs.as_slice() {
        [] => Err(Refusal::NoInput),
        // A single port goes to both channels.
        [only] => Ok(only.clone()),
        [left, right, ..] => Ok(format!("{left},{right}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(
        name: &str,
        n_channels: usize,
        rates: RangeInclusive<u32>,
        buffer: RangeInclusive<u32>,
    ) -> Device {
        Device { name: name.into(), formats: vec![Format { n_channels, rate_hz: rates, buffer }] }
    }

    fn studio() -> Devices {
        Devices {
            inputs: vec![
                device("Webcam", 1, 16_000..=44_100, 64..=4096),
                device("Interface", 2, 44_100..=96_000, 32..=2048),
            ],
            outputs: vec![device("Headphones", 2, 44_100..=192_000, 128..=8192)],
            default_input: Some("Interface".into()),
            default_output: None,
        }
    }

    #[test]
    fn the_default_input_and_a_short_buffer_are_taken() {
        let choice = choose(&studio(), &Wishes::default()).unwrap();
        let expected = Choice {
            input: "Interface".into(),
            output: "Headphones".into(),
            n_channels: 2,
            rate_hz: 48_000,
            buffer: 256,
        };
        assert_eq!(choice, expected);
    }

    #[test]
    fn wishes_come_first_and_the_rest_follows_the_devices() {
        let wishes = Wishes { input: Some("Webcam".into()), buffer: Some(128), ..Wishes::default() };
        let choice = choose(&studio(), &wishes).unwrap();
        assert_eq!((choice.n_channels, choice.rate_hz, choice.buffer), (1, 44_100, 128));
    }

    #[test]
    fn what_cannot_be_is_said_with_the_next_step() {
        assert_eq!(choose(&Devices::default(), &Wishes::default()), Err(Refusal::NoInput));
        let deaf = Devices { outputs: Vec::new(), ..studio() };
        assert_eq!(choose(&deaf, &Wishes::default()), Err(Refusal::NoOutput));
        let unknown = Wishes { output: Some("Moon".into()), ..Wishes::default() };
        assert!(choose(&studio(), &unknown).unwrap_err().to_string().contains("--list"));
        for wishes in [
            Wishes { rate_hz: Some(8_000), ..Wishes::default() },
            Wishes { buffer: Some(16), ..Wishes::default() },
        ] {
            assert!(matches!(choose(&studio(), &wishes), Err(Refusal::Incompatible { .. })));
        }
    }

    #[test]
    fn jack_takes_the_sound_cards_first_two_ports() {
        let jack = |inputs: &[&str]| Jack {
            rate_hz: 48_000,
            buffer: 64,
            inputs: inputs.iter().map(|&port| port.into()).collect(),
            outputs: Vec::new(),
        };
        assert_eq!(jack_inputs(&jack(&["s:1", "s:2", "s:3"]), None).unwrap(), "s:1,s:2");
        assert_eq!(jack_inputs(&jack(&["s:1"]), None).unwrap(), "s:1");
        assert_eq!(jack_inputs(&jack(&["s:1", "s:2"]), Some("s:2")).unwrap(), "s:2");
        assert_eq!(jack_inputs(&jack(&[]), None), Err(Refusal::NoInput));
        assert!(jack_inputs(&jack(&["s:1"]), Some("s:1,s:9")).is_err());
    }
}
