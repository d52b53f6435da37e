//! Gathers the facts about the computer that the panel shows.
//!
//! Looking closely opens libtorch, which takes time and memory: only when the device view is first shown, on a thread of
//! its own, and again in this process only if libtorch was not found or not opened: the next window finds what was
//! installed meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tacet_realtime::inference::keep_loaded::keep_library_loaded;

use crate::device::{self, Facts, System};
use crate::engine::torch::{installed, request_mps_fallback};
use crate::panel::system;
use crate::panel::view_model::ViewModel;
use crate::user_files::UserFileError;

use super::super::preferences::Preferences;

/// The facts that were found out.
static FACTS: Mutex<Option<Facts>> = Mutex::new(None);
/// Whether somebody is finding out.
static IS_LOOKING: AtomicBool = AtomicBool::new(false);

/// The part that a window has shown.
#[derive(Default)]
pub struct SystemInfo {
    view_model: Option<bool>,
    preferences: Option<Preferences>,
}

impl SystemInfo {
    /// Fills in what is known; looks closely where `in_detail`.
    pub fn show(&mut self, view_model: &mut ViewModel, in_detail: bool) {
        if in_detail && FACTS.lock().is_none() && !IS_LOOKING.swap(true, Ordering::Relaxed) {
            let preferences = *self.preferences();
            // Nobody waits for the thread: it may outlive the last instance.
            keep_library_loaded();
            // A process without room for a thread shows what is known without it.
            let started = std::thread::Builder::new().name("tacet devices".into()).spawn(move || {
                preferences.apply();
                let facts = Facts::gather();
                *FACTS.lock() = Some(facts);
                IS_LOOKING.store(false, Ordering::Relaxed);
            });
            if started.is_err() {
                IS_LOOKING.store(false, Ordering::Relaxed);
            }
        }
        let is_close = FACTS.lock().is_some();
        if self.view_model == Some(is_close) {
            return;
        }
        self.view_model = Some(is_close);
        let quick = || Facts { system: System::current(), torch: Err(from_afar()) };
        let facts = FACTS.lock().clone().unwrap_or_else(quick);
        let assessed = device::list(&facts, None);
        view_model.system = system::system(&facts, &assessed);
        if matches!(facts.system, System::MacOs { .. }) {
            view_model.system.mps_fallback = Some(self.preferences().mps_fallback);
        }
        for slot in &mut view_model.slots {
            slot.devices = system::devices(&assessed);
        }
    }

    /// A window opens: everything is to be shown again.
    pub fn open(&mut self) {
        FACTS.lock().take_if(|facts| facts.torch.is_err());
        self.view_model = None;
    }

    /// Remembers the choice for the next opening of libtorch, and makes it now if it is not open.
    ///
    /// # Errors
    /// The choice cannot be saved.
    pub(crate) fn set_mps_fallback(&mut self, on: bool) -> Result<(), UserFileError> {
        let preferences = Preferences { mps_fallback: on };
        self.preferences = Some(preferences);
        self.view_model = None;
        preferences.save()
    }

    fn preferences(&mut self) -> &Preferences {
        self.preferences.get_or_insert_with(Preferences::load)
    }
}

impl Preferences {
    /// Does what must be done before libtorch is opened.
    pub fn apply(&self) {
        if self.mps_fallback {
            request_mps_fallback();
        }
    }
}

/// Facts about libtorch that are known without opening it.
fn from_afar() -> String {
    match installed() {
        Ok((_, manifest)) => format!("checking libtorch {}", manifest.torch),
        Err(error) => error.to_string(),
    }
}
