//! A latency mode or a model that is chosen and not yet in force, and what the panel says about it.
//!
//! Hosts activate a plugin anew when it asks, at once or when playback stops; some never do. The standalone is the host
//! itself: there the window has the processor built anew.

use nice_plug::context::gui::GuiContext;
use tacet_model::ModelKind;

use crate::inference::native::{self, Playable};
use crate::inference::signal::WorkSignal;
use crate::inference::slot_manager::{SlotInbox, SlotManager};
use crate::latency::{Latency, LatencyMode};
use crate::live::OPEN_PATIENCE;
use crate::panel::text;
use crate::panel::view_model::{Notice, ViewModel};
use crate::processor::resample::Plan;

use super::super::shared::Shared;
use super::audio;

/// Nothing is said about a change that is in force within this time, in seconds: most hosts are quick.
const PATIENCE_S: f64 = 1.0;

/// See the module.
#[derive(Default)]
pub struct Pending {
    /// The choice that is not in force yet, since when, and whether the panel has said so.
    chosen: Option<Chosen>,
    /// The model that was last said to be missing or unreadable.
    missing: Option<ModelKind>,
    /// Keeps an engine of the model to come open until the processor has its own.
    warm: Option<(SlotManager, SlotInbox)>,
}

struct Chosen {
    what: (LatencyMode, ModelKind),
    since_s: f64,
    is_told: bool,
}

impl Pending {
    /// Shows the latency to come, and once what it waits for or lacks. In the standalone has it come now.
    pub fn show(
        &mut self,
        shared: &Shared,
        view_model: &mut ViewModel,
        gui: Option<&GuiContext>,
        now_s: f64,
    ) {
        let wanted = (shared.params.latency_mode(), shared.params.model());
        self.tell_missing(wanted.1, view_model);
        let in_force = *shared.in_force.lock();
        if in_force.is_none_or(|in_force| in_force == wanted) {
            self.chosen = None;
            self.warm = None;
            view_model.pending_latency_samples = None;
            return;
        }
        let is_new = self.chosen.as_ref().is_none_or(|chosen| chosen.what != wanted);
        if is_new {
            self.chosen = Some(Chosen { what: wanted, since_s: now_s, is_told: false });
            view_model.pending_latency_samples = latency_samples(shared, wanted);
            if let Some(gui) = gui.filter(|_| audio::host().is_some()) {
                self.apply(shared, wanted.1, gui);
            }
        }
        let Some(chosen) = &mut self.chosen else { return };
        if !chosen.is_told && now_s - chosen.since_s >= PATIENCE_S {
            chosen.is_told = true;
            let now = text::latency(view_model.latency_samples(), view_model.stream.rate_hz);
            let text = match view_model.pending_latency_samples {
                Some(n_samples) => {
                    let then = text::latency(n_samples, view_model.stream.rate_hz);
                    format!(
                        "A latency of {then} takes effect when playback restarts; until then it is {now}."
                    )
                }
                None => "The change takes effect when playback restarts.".to_owned(),
            };
            view_model.notice = Some(Notice { text, is_error: false });
        }
    }

    /// A window opens: everything has to be announced again.
    pub fn open(&mut self) {
        *self = Self::default();
    }

    fn tell_missing(&mut self, wanted: ModelKind, view_model: &mut ViewModel) {
        if self.missing == Some(wanted) {
            return;
        }
        let Ok(Playable { model, refusal: Some(refusal), .. }) = native::playable(wanted) else {
            self.missing = None;
            return;
        };
        self.missing = Some(wanted);
        let text = format!("{refusal}. {model} plays meanwhile.");
        view_model.notice = Some(Notice { text, is_error: true });
    }

    /// Has the standalone build its processor anew. The engine is opened first, so that the audio thread waits for nothing.
    fn apply(&mut self, shared: &Shared, model: ModelKind, gui: &GuiContext) {
        let n_channels = shared.meters.n_channels.load(std::sync::atomic::Ordering::Relaxed).clamp(1, 2);
        let (mut warm, inbox) = SlotManager::new(
            shared.services(),
            native::playable(model).map_or(model, |playable| playable.model),
            n_channels as usize,
            std::sync::Arc::<WorkSignal>::default(),
        );
        warm.serve_at_once(OPEN_PATIENCE);
        self.warm = Some((warm, inbox));
        gui.set_state(gui.get_state());
    }
}

/// The latency that a mode and a model would have here; `None` where the plugin is not active or the model cannot be read.
fn latency_samples(shared: &Shared, (mode, model): (LatencyMode, ModelKind)) -> Option<usize> {
    let rate_hz = (*shared.latency.lock())?.rate_hz;
    let Playable { lookahead_hops, .. } = native::playable(model).ok()?;
    Some(Latency::new(lookahead_hops, mode, &Plan::new(rate_hz)?).total_samples)
}
