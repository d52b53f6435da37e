//! Choice of audio devices: a real input, and a short buffer that both sides support. Pure functions.

pub mod jack;

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
pub struct AudioDevice {
    /// Its name, which no other device of the list has.
    pub name: String,
    /// The system's identifier: ALSA's name of the PCM, else what CoreAudio or WASAPI call it.
    pub id: String,
    /// The system's name for it, which several may share.
    pub title: String,
    /// Whether no other device of its title comes before it: the framework looks devices up by their titles.
    pub is_first: bool,
    /// Its formats.
    pub formats: Vec<Format>,
}

/// ALSA's device that swallows what it is given and delivers silence.
const NULL_ID: &str = "null";

impl AudioDevice {
    fn is_null(&self) -> bool {
        self.id == NULL_ID
    }
}

/// Gives devices of one name names of their own and puts `null` last.
pub fn tell_apart(devices: &mut [AudioDevice]) {
    let names: Vec<String> = devices.iter().map(|device| device.name.clone()).collect();
    for device in devices.iter_mut() {
        if names.iter().filter(|name| **name == device.name).count() > 1 {
            device.name = format!("{} [{}]", device.name, device.id);
        }
    }
    devices.sort_by_key(AudioDevice::is_null);
}

/// All devices of an audio system.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Devices {
    /// Devices that deliver sound.
    pub inputs: Vec<AudioDevice>,
    /// Devices that take sound.
    pub outputs: Vec<AudioDevice>,
    /// Identifier of the system's own choice of input.
    pub default_input: Option<String>,
    /// Identifier of the system's own choice of output.
    pub default_output: Option<String>,
}

/// The user's wishes; the rest is chosen.
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

/// The choice.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceChoice {
    /// Name of the input device.
    pub input: String,
    /// Name of the output device.
    pub output: String,
    /// Channels of the input that are taken: 2 where it has as many, else 1.
    pub n_channels: usize,
    /// Channels of the input: more than are taken where it has no other format.
    pub n_input_channels: usize,
    /// Sample rate, in hertz.
    pub rate_hz: u32,
    /// Samples per callback: the nearest to what is asked for that both devices offer.
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
    /// A JACK server decides that.
    #[error(
        "JACK runs with {has} {what}, not {asked}: leave {option} out, set up the server, or use `--backend system`"
    )]
    Server {
        /// The unit.
        what: &'static str,
        /// The requested value.
        asked: u32,
        /// The server's value.
        has: u32,
        /// The option.
        option: &'static str,
    },
    /// The two devices have nothing in common.
    #[error(
        "{input} and {output} have no sample rate and buffer in common{asked}: choose other devices, or another --rate"
    )]
    Incompatible {
        /// Input device.
        input: String,
        /// Output device.
        output: String,
        /// The user's wish.
        asked: String,
    },
}

/// Chooses devices and format.
///
/// Of all pairs of formats the best is taken: the rate that is asked for or the network's, then two channels, then the
/// buffer nearest to what is asked for. A buffer that the devices lack is no reason to refuse. Of an input that has more
/// channels and nothing else the first two are taken.
///
/// # Errors
/// There is nothing to choose.
pub fn choose(devices: &Devices, wishes: &Wishes) -> Result<DeviceChoice, Refusal> {
    let (input, output) = devices.pair(wishes)?;
    let pairs = input.formats.iter().flat_map(|source| output.formats.iter().map(move |sink| (source, sink)));
    let wanted = wishes.buffer.unwrap_or(BUFFER);
    let choices = pairs.filter_map(|(source, sink)| {
        let n_channels = source.n_channels;
        let rate_hz = nearest(&source.rate_hz, &sink.rate_hz, wishes.rate_hz.unwrap_or(RATE_HZ))?;
        let buffer = nearest(&source.buffer, &sink.buffer, wanted)?;
        let is_taken = n_channels > 0 && wishes.rate_hz.is_none_or(|asked| asked == rate_hz);
        is_taken.then_some((n_channels, rate_hz, buffer))
    });
    let best = choices.min_by_key(|&(n_channels, rate_hz, buffer)| {
        // Below 48 kHz something of the voice is lost; above it nothing is gained but work.
        let rate_rank = (rate_hz < RATE_HZ, rate_hz.abs_diff(RATE_HZ));
        (n_channels > 2, rate_rank, n_channels != 2, buffer.abs_diff(wanted), n_channels)
    });
    if let Some((n_input_channels, rate_hz, buffer)) = best {
        let (input, output) = (input.name.clone(), output.name.clone());
        let n_channels = n_input_channels.min(2);
        return Ok(DeviceChoice { input, output, n_channels, n_input_channels, rate_hz, buffer });
    }
    let rate = wishes.rate_hz.map(|rate_hz| format!(" at {rate_hz} Hz"));
    Err(Refusal::Incompatible {
        input: input.name.clone(),
        output: output.name.clone(),
        asked: rate.unwrap_or_default(),
    })
}

impl Devices {
    /// The two devices that are taken.
    ///
    /// # Errors
    /// There are none, or not those that are named.
    pub fn pair(&self, wishes: &Wishes) -> Result<(&AudioDevice, &AudioDevice), Refusal> {
        let input = pick(&self.inputs, &wishes.input, &self.default_input, "input", Refusal::NoInput)?;
        let output = pick(&self.outputs, &wishes.output, &self.default_output, "output", Refusal::NoOutput)?;
        Ok((input, output))
    }
}

/// The device that is named, by its name or identifier; else the system's default, else the first that is a real one.
fn pick<'a>(
    devices: &'a [AudioDevice],
    wish: &Option<String>,
    default: &Option<String>,
    what: &'static str,
    none: Refusal,
) -> Result<&'a AudioDevice, Refusal> {
    match wish {
        Some(name) => devices
            .iter()
            .find(|device| device.name == *name || device.id == *name)
            .ok_or_else(|| Refusal::Unknown { what, name: name.clone() }),
        None => {
            let mut real = devices.iter().filter(|device| !device.is_null() && !device.formats.is_empty());
            let default = default.as_deref().and_then(|id| real.clone().find(|device| device.id == id));
            default.or_else(|| real.next()).ok_or(none)
        }
    }
}

/// The value nearest to `wanted` that both have.
fn nearest(a: &RangeInclusive<u32>, b: &RangeInclusive<u32>, wanted: u32) -> Option<u32> {
    let (low, high) = (*a.start().max(b.start()), *a.end().min(b.end()));
    (low <= high).then(|| wanted.clamp(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(
        name: &str,
        n_channels: usize,
        rates: RangeInclusive<u32>,
        buffer: RangeInclusive<u32>,
    ) -> AudioDevice {
        let formats = vec![Format { n_channels, rate_hz: rates, buffer }];
        AudioDevice {
            name: name.into(),
            id: format!("id of {name}"),
            title: name.into(),
            is_first: true,
            formats,
        }
    }

    fn studio() -> Devices {
        Devices {
            inputs: vec![
                device("Webcam", 1, 16_000..=44_100, 64..=4096),
                device("Interface", 2, 44_100..=96_000, 32..=2048),
            ],
            outputs: vec![device("Headphones", 2, 44_100..=192_000, 128..=8192)],
            default_input: Some("id of Interface".into()),
            default_output: None,
        }
    }

    #[test]
    fn the_default_input_and_a_short_buffer_are_taken() {
        let choice = choose(&studio(), &Wishes::default()).unwrap();
        let expected = DeviceChoice {
            input: "Interface".into(),
            output: "Headphones".into(),
            n_channels: 2,
            n_input_channels: 2,
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
        let wishes = Wishes { input: Some("id of Webcam".into()), ..Wishes::default() };
        assert_eq!(choose(&studio(), &wishes).unwrap().input, "Webcam");
    }

    #[test]
    fn impossible_wishes_are_refused_with_the_next_step() {
        assert_eq!(choose(&Devices::default(), &Wishes::default()), Err(Refusal::NoInput));
        let deaf = Devices { outputs: Vec::new(), ..studio() };
        assert_eq!(choose(&deaf, &Wishes::default()), Err(Refusal::NoOutput));
        let unknown = Wishes { output: Some("Moon".into()), ..Wishes::default() };
        assert!(choose(&studio(), &unknown).unwrap_err().to_string().contains("--list"));
        let refused = choose(&studio(), &Wishes { rate_hz: Some(8_000), ..Wishes::default() }).unwrap_err();
        assert!(refused.to_string().contains("at 8000 Hz"), "{refused}");
    }

    #[test]
    fn the_nearest_buffer_is_taken_where_the_driver_has_only_its_period() {
        let period = |name| device(name, 2, 48_000..=48_000, 480..=480);
        let windows =
            Devices { inputs: vec![period("In")], outputs: vec![period("Out")], ..Devices::default() };
        for buffer in [None, Some(256), Some(16), Some(4096)] {
            assert_eq!(choose(&windows, &Wishes { buffer, ..Wishes::default() }).unwrap().buffer, 480);
        }
    }

    /// A device with one format for each rate and count of channels.
    fn listed(name: &str, n_channels: &[usize], rates_hz: &[u32]) -> AudioDevice {
        let formats = n_channels.iter().flat_map(|&n_channels| {
            rates_hz.iter().map(move |&rate_hz| Format {
                n_channels,
                rate_hz: rate_hz..=rate_hz,
                buffer: if rate_hz == 8_000 { 80..=80 } else { 15..=4096 },
            })
        });
        AudioDevice {
            name: name.into(),
            id: name.into(),
            title: name.into(),
            is_first: true,
            formats: formats.collect(),
        }
    }

    #[test]
    fn of_all_pairs_of_formats_that_with_the_networks_rate_is_taken() {
        // The lists of wine, of CoreAudio, and of a headset that has the network's rate in mono only.
        for (input, output, n_channels, rate_hz) in [
            (
                listed("In", &[1, 2], &[8_000, 16_000, 44_100, 48_000]),
                listed("Out", &[2], &[8_000, 48_000]),
                2,
                48_000,
            ),
            (
                listed("In", &[2], &[44_100, 48_000, 88_200]),
                listed("Out", &[2], &[44_100, 48_000, 96_000]),
                2,
                48_000,
            ),
            (listed("In", &[1], &[44_100, 48_000]), listed("Out", &[8, 2], &[44_100, 48_000]), 1, 48_000),
            // Rather more than less: nothing of the voice is lost.
            (listed("In", &[2], &[44_100, 96_000]), listed("Out", &[2], &[44_100, 96_000]), 2, 96_000),
            (listed("In", &[2], &[8_000, 44_100]), listed("Out", &[2], &[8_000, 44_100]), 2, 44_100),
        ] {
            let devices = Devices { inputs: vec![input], outputs: vec![output], ..Devices::default() };
            let choice = choose(&devices, &Wishes::default()).unwrap();
            assert_eq!((choice.n_channels, choice.rate_hz, choice.buffer), (n_channels, rate_hz, 256));
        }
    }

    #[test]
    fn of_an_interface_with_many_channels_two_are_taken() {
        for (n_channels, taken, n_input_channels) in
            [(&[18][..], 2, 18), (&[8, 4], 2, 4), (&[8, 1], 1, 1), (&[8, 2], 2, 2), (&[6, 1, 2], 2, 2)]
        {
            let inputs = vec![listed("Interface", n_channels, &[44_100, 48_000])];
            let choice = choose(&Devices { inputs, ..studio() }, &Wishes::default()).unwrap();
            assert_eq!((choice.n_channels, choice.n_input_channels), (taken, n_input_channels));
        }
    }

    #[test]
    fn null_is_last_and_only_taken_when_it_is_named() {
        let null =
            AudioDevice { id: "null".into(), ..device("Discard all samples", 2, 4_000..=192_000, 16..=8192) };
        let mut inputs = vec![null.clone(), device("Microphone", 1, 48_000..=48_000, 64..=1024)];
        tell_apart(&mut inputs);
        assert_eq!(inputs.last(), Some(&null));
        for default_input in [None, Some("null".to_owned()), Some("gone".to_owned())] {
            let devices = Devices { inputs: inputs.clone(), default_input, ..studio() };
            assert_eq!(choose(&devices, &Wishes::default()).unwrap().input, "Microphone");
            let named = Wishes { input: Some("null".into()), ..Wishes::default() };
            assert_eq!(choose(&devices, &named).unwrap().input, "Discard all samples");
        }
        let silent = Devices { inputs: vec![null], ..studio() };
        assert_eq!(choose(&silent, &Wishes::default()), Err(Refusal::NoInput));
    }

    #[test]
    fn two_devices_of_one_name_are_distinguished() {
        let mut devices = [("Card", "hw:0,0"), ("Card", "hw:0,1"), ("Other", "hw:1,0")]
            .map(|(name, id)| AudioDevice { id: id.into(), ..device(name, 2, 48_000..=48_000, 64..=64) });
        tell_apart(&mut devices);
        assert_eq!(devices.map(|device| device.name), ["Card [hw:0,0]", "Card [hw:0,1]", "Other"]);
    }
}
