//! The standalone's audio devices on the panel; a host has none of this.

#[cfg(feature = "standalone")]
pub use crate::standalone::restart::{Chosen, restart};
#[cfg(feature = "standalone")]
pub use here::{shown, take_values};

#[cfg(not(feature = "standalone"))]
pub use elsewhere::{Chosen, restart, shown, take_values};

#[cfg(feature = "standalone")]
mod here {
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::editor::shown::Audio;
    use crate::params::presets::Values;
    use crate::standalone::restart;

    /// What the program runs with.
    pub fn shown() -> Option<Audio> {
        let running = restart::running()?.clone();
        Some(Audio {
            backend: running.backend.into(),
            inputs: running.inputs,
            input: running.input,
            outputs: running.outputs,
            output: running.output,
            n_period_samples: running.buffer as usize,
        })
    }

    /// The parameters that a restart carries over, once.
    pub fn take_values() -> Option<Values> {
        static IS_TAKEN: AtomicBool = AtomicBool::new(false);
        if IS_TAKEN.swap(true, Ordering::Relaxed) { None } else { restart::values() }
    }
}

#[cfg(not(feature = "standalone"))]
mod elsewhere {
    use crate::editor::shown::Audio;
    use crate::params::presets::Values;

    pub enum Chosen {
        Input(String),
        Output(String),
    }

    pub fn restart(chosen: Chosen, _: &Values) -> std::io::Error {
        let (Chosen::Input(name) | Chosen::Output(name)) = chosen;
        std::io::Error::other(format!("{name} is the host's to choose"))
    }

    pub fn shown() -> Option<Audio> {
        None
    }

    pub fn take_values() -> Option<Values> {
        None
    }
}
