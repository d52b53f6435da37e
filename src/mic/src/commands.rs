//! The commands of the running microphone, and the text of `status`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tacet_realtime::faults::Counts;
use tacet_realtime::meters::Meters;
use tacet_realtime::model::{ModelKind, SAMPLE_RATE_HZ};
use tacet_realtime::{models, presets};

use crate::pipewire::library::state;
use crate::pipewire::streams::{Event, describe};
use crate::settings::Settings;

/// The report of the command `status`.
#[derive(Default)]
pub(crate) struct Status {
    /// The streams' states, the one that samples come from first; `None` while there is no server.
    pub(crate) states: Option<[i32; 2]>,
    /// Latency of what denoises, in milliseconds.
    pub(crate) latency_ms: f64,
    /// Its meters.
    pub(crate) meters: Arc<Meters>,
    /// How often the server went away and came back.
    pub(crate) n_reconnects: usize,
    /// The present fault and its remedy, if any.
    pub(crate) problem: Option<String>,
}

impl Status {
    /// Counts of the audio thread.
    pub(crate) fn counts(&self, settings: &Settings) -> Counts {
        let lane = &self.meters.slots[0];
        let seconds = |n_samples: u64| n_samples as f64 / f64::from(SAMPLE_RATE_HZ);
        Counts {
            is_streaming: self.states == Some([state::STREAMING; 2]),
            processed_s: seconds(settings.n_samples.load(Relaxed)),
            silent_s: seconds(settings.n_silent.load(Relaxed)),
            n_late: lane.n_late.load(Relaxed) + lane.n_dropped.load(Relaxed),
            n_lost: settings.n_lost.load(Relaxed),
        }
    }
}

/// Does what a command asks; gives the answer's lines.
pub(crate) fn answer(
    command: &str,
    status: &Status,
    settings: &Settings,
    mut send: impl FnMut(Event),
) -> Result<String, String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let before = settings.mode_and_model();
    match words[..] {
        ["status"] => return Ok(report(status, settings)),
        ["mute"] => settings.is_muted.store(true, Relaxed),
        ["unmute"] => settings.is_muted.store(false, Relaxed),
        ["bypass", "on"] => settings.is_bypassed.store(true, Relaxed),
        ["bypass", "off"] => settings.is_bypassed.store(false, Relaxed),
        ["set", "model", name] => {
            // Live sound must not go on with another one than was asked for.
            check_model(name)?;
            settings.set("model", name)?;
        }
        ["set", name, value] => settings.set(name, value)?,
        ["preset", ref name @ ..] if !name.is_empty() => {
            settings.set_preset(&presets::find(&name.join(" "))?.values);
        }
        ["stop"] => send(Event::Stop),
        _ => {
            return Err(format!(
                "{command:?} is no command: status, mute, unmute, bypass, set, preset or stop"
            ));
        }
    }
    if settings.mode_and_model() != before {
        send(Event::Setup);
    }
    Ok(String::new())
}

/// A model by its name on the command line is installed, or the text says how to get it.
fn check_model(name: &str) -> Result<(), String> {
    use tacet_realtime::parameters::Choice as _;
    match ModelKind::from_choice_id(name) {
        Some(wanted) if models::available(wanted) != wanted => Err(models::missing(wanted)),
        // A name of no model is refused later, with the list of models.
        _ => Ok(()),
    }
}

fn report(status: &Status, settings: &Settings) -> String {
    let state = match status.states {
        None => "waiting for the sound server",
        // The state that is farther from sound.
        Some([input, output]) if input == state::STREAMING => describe(output),
        Some([input, _]) => describe(input),
    };
    let block_ms = f64::from(settings.block_samples.load(Relaxed)) * 1e3 / f64::from(SAMPLE_RATE_HZ);
    let lane = &status.meters.slots[0];
    let yes = |is: bool| if is { "yes" } else { "no" };
    let mut lines = vec![
        format!("state: {state}"),
        format!("problem: {}", status.problem.as_deref().unwrap_or("none")),
        format!(
            "total latency: {:.1} ms, and at most one block of the server's, {block_ms:.1} ms",
            status.latency_ms
        ),
        format!("processed: {:.1} s", settings.n_samples.load(Relaxed) as f64 / f64::from(SAMPLE_RATE_HZ)),
        format!("late hops: {} of {}", lane.n_late.load(Relaxed), lane.n_requests.load(Relaxed)),
        format!("lost blocks: {}", settings.n_lost.load(Relaxed)),
        format!("reconnected: {}", status.n_reconnects),
        format!("muted: {}", yes(settings.is_muted.load(Relaxed))),
        format!("bypass: {}", yes(settings.is_bypassed.load(Relaxed))),
    ];
    lines.extend(settings.texts().map(|(name, value)| format!("{name}: {value}")));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_do_what_they_say() {
        let (status, settings) = (Status::default(), Settings::default());
        let mut sent = Vec::new();
        let mut answer = |command: &str| super::answer(command, &status, &settings, |event| sent.push(event));
        assert_eq!(answer("mute"), Ok(String::new()));
        assert_eq!(answer("set post-filter 0.02"), Ok(String::new()));
        assert_eq!(answer("bypass on"), Ok(String::new()));
        let report = answer("status").unwrap();
        for line in ["waiting for the sound server", "muted: yes", "bypass: yes", "post-filter: 0.02"] {
            assert!(report.contains(line), "{report}");
        }
        assert!(answer("set post-filter 1").unwrap_err().contains("0.05"));
        assert!(answer("").unwrap_err().contains("is no command"));
        answer("preset Live mic").unwrap();
        assert_eq!(settings.controls().shaping.attenuation_limit_db, 30.0);
        assert!(answer("preset loud").unwrap_err().contains("podcast"));
        assert!(answer("set model dfn4").unwrap_err().contains("dfn3-ll"));
        answer("set latency lowest").unwrap();
        answer("stop").unwrap();
        // The preset has the slack already.
        assert!(matches!(sent[..], [Event::Setup, Event::Stop]), "{sent:?}");
    }
}
