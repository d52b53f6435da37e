//! The parameters: the `table` of their identifiers, names, ranges, units, defaults and help, each stated once.
//!
//! The plugin's parameters, presets and saved states, the panel and the options of `tacet denoise` are made from it.
//! Constants only; for any thread.
//!
//! A new parameter is a variant of [`ParamId`] and its entry in [`ParamId::spec`], from which the plugin makes its own;
//! [`controls()`] says what the processor makes of it, and the panel where it is drawn.

mod choice;
mod controls;
mod spec;
mod table;

pub use choice::{Choice, Text};
pub use controls::controls;
pub use spec::{Number, Scope, Spec, Unit, Values, between};
pub use table::ParamId;
