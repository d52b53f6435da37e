//! Lists the audio devices of the machine.

use std::collections::HashSet;
use std::fmt::Write;

use anyhow::{Context, Result};
use cpal::traits::{DeviceTrait, HostTrait};

use super::AudioBackend;
use super::choice::jack::Jack;
use super::choice::{self, AudioDevice, Devices, Format, Wishes};

/// The system's own audio devices.
pub struct System {
    /// The framework's name of the backend.
    pub backend: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// Its devices.
    pub devices: Devices,
}

/// Asks the JACK server, if there is one. Starts none.
pub fn jack() -> Option<Jack> {
    use jack::{AudioOut, Client, ClientOptions, PortFlags, PortSpec};
    #[cfg(target_os = "linux")]
    super::jack_library::prefer_pipewire();
    let (client, _) = Client::new("tacet-list", ClientOptions::NO_START_SERVER).ok()?;
    // Sound in general, which both kinds of ports are.
    let sound = AudioOut::default();
    let ports = |flags| client.ports(None, Some(sound.jack_port_type()), flags);
    Some(Jack {
        rate_hz: client.sample_rate() as usize,
        buffer: client.buffer_size(),
        inputs: ports(PortFlags::IS_OUTPUT | PortFlags::IS_PHYSICAL),
        outputs: ports(PortFlags::IS_INPUT | PortFlags::IS_PHYSICAL),
        all_inputs: ports(PortFlags::IS_OUTPUT),
        all_outputs: ports(PortFlags::IS_INPUT),
    })
}

/// Asks the system's own audio interface.
///
/// # Errors
/// It is not available.
pub fn system() -> Result<System> {
    #[cfg(all(target_family = "unix", not(target_os = "macos")))]
    let (id, backend, name) = (cpal::HostId::Alsa, "alsa", "ALSA");
    #[cfg(target_os = "macos")]
    let (id, backend, name) = (cpal::HostId::CoreAudio, "core-audio", "CoreAudio");
    #[cfg(target_os = "windows")]
    let (id, backend, name) = (cpal::HostId::Wasapi, "wasapi", "WASAPI");
    let host = cpal::host_from_id(id).with_context(|| format!("{name} is not available"))?;
    let devices = Devices {
        default_input: host.default_input_device().as_ref().and_then(identifier),
        default_output: host.default_output_device().as_ref().and_then(identifier),
        inputs: listed(host.input_devices().into_iter().flatten(), cpal::Device::supported_input_configs),
        outputs: listed(host.output_devices().into_iter().flatten(), cpal::Device::supported_output_configs),
    };
    Ok(System { backend, name, devices })
}

/// The devices of one direction that can be opened.
fn listed<C: Iterator<Item = cpal::SupportedStreamConfigRange>, E>(
    devices: impl Iterator<Item = cpal::Device>,
    configs: impl Fn(&cpal::Device) -> Result<C, E>,
) -> Vec<AudioDevice> {
    let mut titles = HashSet::new();
    let device = |device: cpal::Device| {
        let title = device.description().ok()?.name().to_owned();
        // No device before it, openable or not, has it.
        let is_first = titles.insert(title.clone());
        let formats = configs(&device).ok()?.filter_map(|config| format(&config)).collect();
        Some(AudioDevice { name: title.clone(), id: identifier(&device)?, title, is_first, formats })
    };
    let mut listed: Vec<AudioDevice> = devices.filter_map(device).collect();
    choice::tell_apart(&mut listed);
    listed
}

/// The system's identifier of a device: descriptions may change and need not be unique.
fn identifier(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.id().to_owned())
}

fn format(config: &cpal::SupportedStreamConfigRange) -> Option<Format> {
    let cpal::SupportedBufferSize::Range { min, max } = *config.buffer_size() else {
        // The framework takes no device that does not report them.
        return None;
    };
    Some(Format {
        n_channels: usize::from(config.channels()),
        rate_hz: config.min_sample_rate()..=config.max_sample_rate(),
        buffer: min..=max,
    })
}

/// The devices as text, those that would be taken marked.
///
/// # Errors
/// The system's audio interface is not available.
pub fn list(backend: AudioBackend) -> Result<String> {
    let mut text = String::new();
    if matches!(backend, AudioBackend::Auto | AudioBackend::Jack) {
        match jack() {
            Some(jack) => {
                writeln!(text, "JACK ({} Hz, {} samples)", jack.rate_hz, jack.buffer)?;
                let taken = choice::jack::ports(&jack, &Wishes::default()).ok();
                let (inputs, outputs) = taken.map(|ports| (ports.inputs, ports.outputs)).unwrap_or_default();
                section(&mut text, "input ports", jack.inputs.iter().map(String::as_str), &inputs)?;
                section(&mut text, "output ports", jack.outputs.iter().map(String::as_str), &outputs)?;
            }
            None => writeln!(text, "JACK: no server runs")?,
        }
    }
    if matches!(backend, AudioBackend::Auto | AudioBackend::System) {
        let System { name, devices, .. } = system()?;
        writeln!(text, "{name}")?;
        let pair = devices.pair(&Wishes::default()).ok();
        let taken = |device: Option<&AudioDevice>| Vec::from_iter(device.map(|device| device.name.clone()));
        for (title, listed, taken) in [
            ("inputs", &devices.inputs, taken(pair.map(|(input, _)| input))),
            ("outputs", &devices.outputs, taken(pair.map(|(_, output)| output))),
        ] {
            section(&mut text, title, listed.iter().map(|device| device.name.as_str()), &taken)?;
        }
    }
    Ok(text)
}

fn section<'a>(
    text: &mut String,
    title: &str,
    names: impl Iterator<Item = &'a str>,
    taken: &[String],
) -> Result<()> {
    writeln!(text, "  {title}:")?;
    let mut is_empty = true;
    for name in names {
        let mark = if taken.iter().any(|taken| taken == name) { "*" } else { " " };
        writeln!(text, "  {mark} {name}")?;
        is_empty = false;
    }
    if is_empty {
        writeln!(text, "    none")?;
    }
    Ok(())
}
