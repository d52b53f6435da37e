//! Options that decide how much of the room stays.

use tacet_realtime::limit::N_HANDLES;
use tacet_realtime::parameters::ParamId;
use tacet_realtime::tails::Closing;

/// How much of the room stays.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Room {
    #[arg(long, value_name = "DB", help = ParamId::Voice.spec().plain_help(), default_value_t = ParamId::Voice.number().default,
        allow_negative_numbers = true, value_parser = ParamId::Voice.reader())]
    pub voice: f32,

    #[arg(long, value_name = "none|DB", help = ParamId::Ambience.spec().plain_help(), default_value = "none",
        allow_negative_numbers = true, value_parser = ParamId::Ambience.reader())]
    pub ambience: f32,

    #[arg(long, value_name = "MS", help = ParamId::Hold.spec().plain_help(), default_value_t = ParamId::Hold.number().default,
        value_parser = ParamId::Hold.reader())]
    pub hold: f32,

    #[arg(long, value_name = "MS", help = ParamId::Release.spec().plain_help(), default_value_t = ParamId::Release.number().default,
        value_parser = ParamId::Release.reader())]
    pub release: f32,

    #[arg(long, value_name = "DB,DB,DB,DB,DB,DB", help = ParamId::limits_help(), default_value = "none,none,none,none,none,none",
        hide_default_value = true, value_parser = ParamId::parse_limits)]
    pub limit_curve: [f32; N_HANDLES],
}

impl Room {
    /// The value that a parameter has here, by the name of its option; none if it has no place here.
    pub fn option(&mut self, id: ParamId) -> Option<(&'static str, &mut f32)> {
        match id {
            ParamId::Voice => Some(("voice", &mut self.voice)),
            ParamId::Ambience => Some(("ambience", &mut self.ambience)),
            ParamId::Hold => Some(("hold", &mut self.hold)),
            ParamId::Release => Some(("release", &mut self.release)),
            _ => {
                let handle = ParamId::LIMITS.iter().position(|limit| *limit == id)?;
                Some(("limit_curve", &mut self.limit_curve[handle]))
            }
        }
    }

    /// How slowly gains close.
    pub fn closing(&self) -> Closing {
        Closing { hold_ms: self.hold, release_ms: self.release }
    }

    /// Linear gains of voice and ambience.
    pub fn gains(&self) -> (f32, f32) {
        (ParamId::Voice.number().gain(self.voice), ParamId::Ambience.number().gain(self.ambience))
    }
}
