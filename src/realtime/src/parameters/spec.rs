//! The entry of a parameter in the table.

use super::choice::Text;

/// The fixed properties of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    /// Identifier in saved projects and presets. Never changes.
    pub id: &'static str,
    /// Name in the host.
    pub name: &'static str,
    /// Short name on the panel.
    pub label: &'static str,
    /// Description, with its unit.
    pub help: &'static str,
    /// The values it can take.
    pub values: Values,
    /// Sources of changes besides the user.
    pub scope: Scope,
}

impl Spec {
    /// The description for a terminal: ASCII minus signs, no full stop.
    pub fn plain_help(&self) -> String {
        self.help.trim_end_matches('.').replace('−', "-")
    }
}

/// The values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values {
    /// A number in a range.
    Number(Number),
    /// On or off.
    Switch {
        /// Whether it is on in a new instance.
        default: bool,
    },
    /// One of a few; the default is that of the type behind it, a
    /// [`Choice`](super::Choice).
    Choice(&'static [Text]),
}

/// A number's range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// Least value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Value in a new instance.
    pub default: f32,
    /// Distance of the values that hosts and panel offer; 0 for none.
    pub step: f32,
    /// Unit of the value.
    pub unit: Unit,
}

/// Text of the least value of a gain that can be [none](Unit::DecibelsOrNone).
const NONE: &str = "-inf";

impl Number {
    /// A value as it is written, without its unit; none where a decimal number does.
    pub fn text(&self, value: f32) -> Option<String> {
        (self.unit == Unit::DecibelsOrNone && value <= self.min).then(|| NONE.to_owned())
    }

    /// The number that a text states, with or without the unit; for a gain that can be none, "none" and "-inf" as well.
    pub fn parse(&self, text: &str) -> Option<f32> {
        let text = text.trim();
        if self.unit == Unit::DecibelsOrNone
            && [NONE, "-inf dB", "none"].iter().any(|none| text.eq_ignore_ascii_case(none))
        {
            return Some(self.min);
        }
        let unit = self.unit.suffix().trim();
        let number = match text.split_at_checked(text.len().saturating_sub(unit.len())) {
            Some((number, end)) if end.eq_ignore_ascii_case(unit) => number,
            _ => text,
        };
        number.trim().parse().ok().filter(|value: &f32| value.is_finite())
    }

    /// Reads a value in the range as people write it: a share in per cent.
    ///
    /// # Errors
    /// The range, as the continuation of "invalid value".
    pub fn read(&self, text: &str) -> Result<f32, String> {
        let scale = self.unit.scale();
        let value = self.parse(text).map(|value| value / scale);
        value
            .filter(|value| (self.min..=self.max).contains(value))
            .ok_or_else(|| needed(self.min * scale, self.max * scale))
    }

    /// A value as people write it: a share in per cent.
    pub fn written(&self, value: f32) -> f32 {
        match self.unit {
            // Few shares are exact: 0.3 would become 30.000002.
            Unit::Percent => (value * self.unit.scale() * 1000.0).round() / 1000.0,
            _ => value,
        }
    }

    /// The linear gain of a value in decibels.
    pub fn gain(&self, db: f32) -> f32 {
        if self.unit == Unit::DecibelsOrNone && db <= self.min { 0.0 } else { 10f32.powf(db * 0.05) }
    }
}

/// Reads a number from `min` to `max` that is no parameter.
///
/// # Errors
/// The range, as the continuation of "invalid value".
pub fn between(text: &str, min: f32, max: f32) -> Result<f32, String> {
    let value = text.trim().parse::<f32>().ok();
    value.filter(|value| (min..=max).contains(value)).ok_or_else(|| needed(min, max))
}

fn needed(min: f32, max: f32) -> String {
    format!("a number from {min} to {max} is needed")
}

/// A number's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    None,
    /// Decibels.
    Decibels,
    /// Decibels of a gain; the least value is no signal at all.
    DecibelsOrNone,
    /// Milliseconds.
    Milliseconds,
    /// A share, 0..=1, written as per cent.
    Percent,
}

impl Unit {
    /// Unit after the number, with its space.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Decibels | Self::DecibelsOrNone => " dB",
            Self::Milliseconds => " ms",
            Self::Percent => " %",
        }
    }

    /// The number that is written for a value of 1.
    pub const fn scale(self) -> f32 {
        match self {
            Self::Percent => 100.0,
            Self::None | Self::Decibels | Self::DecibelsOrNone | Self::Milliseconds => 1.0,
        }
    }
}

/// Sources of changes to a parameter, besides the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Presets and automation: what decides the sound.
    Sound,
    /// Automation alone: how it is listened to.
    Monitoring,
    /// Presets alone: the host restarts the plugin.
    Restart,
    /// Neither: what runs, and on what.
    Setup,
}

impl Scope {
    /// Whether presets set it.
    pub const fn is_in_presets(self) -> bool {
        matches!(self, Self::Sound | Self::Restart)
    }

    /// Whether hosts may automate it.
    pub const fn is_automatable(self) -> bool {
        matches!(self, Self::Sound | Self::Monitoring)
    }
}
