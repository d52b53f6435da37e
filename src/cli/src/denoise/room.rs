//! Options that decide how much of the room stays.

use tacet_realtime::parameters::ParamId;

use super::super::options::{help, within};

/// How much of the room stays.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Room {
    #[arg(long, value_name = "DB", help = help(ParamId::Voice), default_value_t = ParamId::Voice.number().default,
        allow_negative_numbers = true, value_parser = within(ParamId::Voice))]
    pub voice: f32,

    #[arg(long, value_name = "none|DB", help = help(ParamId::Ambience), default_value = "none",
        allow_negative_numbers = true, value_parser = within(ParamId::Ambience))]
    pub ambience: f32,
}

impl Room {
    /// The value that a parameter has here, by the name of its option; none if it has no place here.
    pub fn option(&mut self, id: ParamId) -> Option<(&'static str, &mut f32)> {
        match id {
            ParamId::Voice => Some(("voice", &mut self.voice)),
            ParamId::Ambience => Some(("ambience", &mut self.ambience)),
            _ => None,
        }
    }

    /// Linear gains of voice and ambience.
    pub fn gains(&self) -> (f32, f32) {
        (ParamId::Voice.number().gain(self.voice), ParamId::Ambience.number().gain(self.ambience))
    }
}
