//! The parameters as the panel changes them: every change is reported to the host, which records it and can undo it. What
//! is no parameter is an [`Action`], done after the frame.

use std::sync::Arc;

use nice_plug::context::gui::GuiContext;

use crate::parameters::{ParamId, Values};
use crate::params::TacetParams;

/// Requests of the panel besides parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Try the slot's device again after it fell back.
    Retry(usize),
    /// Forget the slots' measurements and counters.
    ResetStatistics,
    /// Write the measurements to a file and say where.
    ExportCsv,
    /// Let libtorch run operations that MPS lacks on the CPU; takes effect when libtorch is opened next.
    SetMpsFallback(bool),
    /// Set all parameters of the preset with this name.
    RecallPreset(String),
    /// Save the parameters under this name.
    SavePreset(String),
    /// Remove a preset of the user.
    DeletePreset(String),
    /// Take the standalone's input from this device.
    SelectInput(String),
    /// Play the standalone's output on this device.
    SelectOutput(String),
    /// Play nothing, or play again.
    Mute(bool),
    /// The notice was read.
    DismissNotice,
    /// Another device was chosen, or the comparison switched: open what is needed.
    OpenDevices,
}

/// Text of the attenuation limit at its end.
const NO_LIMIT: &str = "no limit";
/// Text of the ambience at its end.
const NO_AMBIENCE: &str = "none";

/// Parameters and actions, as the panel needs them. Values are normalised, 0..=1.
///
/// A change is a gesture: [`begin`](Self::begin), any number of [`set`](Self::set), [`end`](Self::end). Hosts make one undo
/// step of it.
pub struct HostParams {
    params: Arc<TacetParams>,
    host: GuiContext,
    actions: Vec<Action>,
}

impl HostParams {
    /// The parameters of an instance and the host that records changes.
    pub fn new(params: Arc<TacetParams>, host: GuiContext) -> Self {
        Self { params, host, actions: Vec::new() }
    }

    /// The plugin's parameters.
    pub fn params(&self) -> &TacetParams {
        &self.params
    }

    /// The value now.
    pub fn value(&self, id: ParamId) -> f32 {
        self.params.param(id).value()
    }

    /// The value of a new instance.
    pub fn default_value(&self, id: ParamId) -> f32 {
        self.params.param(id).default_value()
    }

    /// The value now as it is written, without its unit.
    pub fn number(&self, id: ParamId) -> f32 {
        self.plain(id, self.value(id))
    }

    /// A value as it is written, without its unit; the position of a choice.
    pub fn plain(&self, id: ParamId, value: f32) -> f32 {
        let scale = match id.spec().values {
            Values::Number(number) => number.unit.scale(),
            Values::Switch { .. } | Values::Choice(_) => 1.0,
        };
        scale * self.params.param(id).plain(value)
    }

    /// A value with its unit, as the host writes it, with true minus signs. A limit that limits nothing says so, and so does a
    /// gain of nothing.
    pub fn text(&self, id: ParamId, value: f32) -> String {
        match id {
            _ if id.is_limit() && value >= 1.0 => return NO_LIMIT.into(),
            ParamId::Ambience if value <= 0.0 => return NO_AMBIENCE.into(),
            _ => {}
        }
        self.params.param(id).text(value).replace('-', "−")
    }

    /// The value that a text means, with or without unit.
    pub fn parse(&self, id: ParamId, text: &str) -> Option<f32> {
        if id.is_limit() && text.trim().eq_ignore_ascii_case(NO_LIMIT) {
            return Some(1.0);
        }
        self.params.param(id).parse(text.replace('−', "-").replace(',', ".").trim())
    }

    /// Begins a gesture.
    pub fn begin(&mut self, id: ParamId) {
        self.params.param(id).begin(&self.host);
    }

    /// Sets the value; within a gesture only.
    pub fn set(&mut self, id: ParamId, value: f32) {
        self.params.param(id).set(&self.host, value);
        let is_device = matches!(id, ParamId::DeviceA | ParamId::DeviceB | ParamId::Compare);
        if is_device && !self.actions.contains(&Action::OpenDevices) {
            self.perform(Action::OpenDevices);
        }
    }

    /// Ends the gesture.
    pub fn end(&mut self, id: ParamId) {
        self.params.param(id).end(&self.host);
    }

    /// A gesture of one value.
    pub fn change(&mut self, id: ParamId, value: f32) {
        self.begin(id);
        self.set(id, value);
        self.end(id);
    }

    /// The position of the choice in force.
    pub fn choice(&self, id: ParamId) -> usize {
        self.number(id) as usize
    }

    /// Chooses by position.
    pub fn choose(&mut self, id: ParamId, choice: usize) {
        let value = self.params.param(id).normalized(choice as f32);
        self.change(id, value);
    }

    /// Does something that is no parameter, after the frame.
    pub(crate) fn perform(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Requests since the last call.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }
}

/// The gesture under way, so that every begin has its end: also when the pointer is let go elsewhere, the view changes, or
/// the wheel simply stops.
#[derive(Debug, Default)]
pub struct Gesture {
    id: Option<ParamId>,
    // Kept apart from the parameter, whose steps would swallow small movements.
    value: f32,
    ends_s: Option<f64>,
}

/// Wheel ticks and key presses closer than this belong to one gesture, seconds.
const NUDGE_S: f64 = 0.4;

impl Gesture {
    /// Whether it turns this parameter.
    pub fn turns(&self, id: ParamId) -> bool {
        self.id == Some(id)
    }

    /// Whether any is under way.
    pub fn is_under_way(&self) -> bool {
        self.id.is_some()
    }

    /// The value that it has turned the parameter to, before the parameter's steps.
    pub(crate) fn value(&self) -> f32 {
        self.value
    }

    /// Begins to drag.
    pub(crate) fn grab(&mut self, params: &mut HostParams, id: ParamId) {
        self.finish(params);
        self.start(params, id);
    }

    fn start(&mut self, params: &mut HostParams, id: ParamId) {
        params.begin(id);
        *self = Self { id: Some(id), value: params.value(id), ends_s: None };
    }

    /// Moves the parameter that is being dragged.
    pub fn drag(&mut self, params: &mut HostParams, by: f32) {
        if let Some(id) = self.id {
            self.value = (self.value + by).clamp(0.0, 1.0);
            params.set(id, self.value);
        }
    }

    /// Moves a parameter by wheel or keys; the gesture ends by itself.
    pub(crate) fn nudge(&mut self, params: &mut HostParams, id: ParamId, by: f32, now_s: f64) {
        if !self.turns(id) {
            self.grab(params, id);
        }
        self.drag(params, by);
        self.ends_s = Some(now_s + NUDGE_S);
    }

    /// Ends what is under way.
    pub fn finish(&mut self, params: &mut HostParams) {
        if let Some(id) = self.id.take() {
            params.end(id);
        }
    }

    /// Ends what is due; once per frame. Returns the seconds until the next end, to be called again then.
    pub fn tick(&mut self, params: &mut HostParams, pointer_down: bool, now_s: f64) -> Option<f64> {
        match self.ends_s {
            Some(ends_s) if now_s < ends_s => return self.id.map(|_| ends_s - now_s),
            None if pointer_down => {}
            _ => self.finish(params),
        }
        None
    }
}
