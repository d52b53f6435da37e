//! The panel, drawn without a host: what it looks like in every view and state, what screen readers find in it, and what
//! its controls do. Not under wine, where what draws it is not built.

#![cfg(not(all(windows, target_env = "gnu")))]

mod access;
mod fixtures;
mod hands;
mod history;
mod limits;
mod params;
mod snapshots;
mod voice;
