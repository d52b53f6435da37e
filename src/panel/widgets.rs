//! The panel's own widgets. Each draws itself into a given rectangle, answers pointer, wheel and keyboard, and names itself
//! to screen readers.

pub mod bar;
pub mod button;
pub mod histogram;
pub mod icon;
pub mod knob;
pub mod meter;
pub mod param;
pub mod picker;
pub mod segmented;
pub mod table;
