//! What the panel can turn, and how: parameters behind a small trait, so that the plugin's parameters and a test's plain
//! values drive the same drawing code.

/// A parameter that the panel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamId {
    /// Attenuation limit.
    Limit,
    /// Dry against wet.
    Mix,
    /// Post filter.
    PostFilter,
    /// Output gain.
    Output,
    /// What is heard.
    Listen,
    /// Local SNR below which all is noise.
    MinSnr,
    /// Local SNR above which nothing is done.
    MaxErb,
    /// Local SNR above which the mask alone works.
    MaxDf,
    /// How the masks of a stereo pair are linked.
    Link,
    /// Bypass.
    Bypass,
    /// Slack for inference.
    LatencyMode,
    /// Which network.
    Model,
    /// Device of slot A.
    DeviceA,
    /// Device of slot B.
    DeviceB,
    /// Whether slot B runs too.
    Compare,
}

impl ParamId {
    /// Every parameter on the panel.
    pub const ALL: [Self; 15] = [
        Self::Limit,
        Self::Mix,
        Self::PostFilter,
        Self::Output,
        Self::Listen,
        Self::MinSnr,
        Self::MaxErb,
        Self::MaxDf,
        Self::Link,
        Self::Bypass,
        Self::LatencyMode,
        Self::Model,
        Self::DeviceA,
        Self::DeviceB,
        Self::Compare,
    ];

    /// Its short name beside the control.
    pub fn label(self) -> &'static str {
        match self {
            Self::Limit => "Reduce by at most",
            Self::Mix => "Mix",
            Self::PostFilter => "Post filter",
            Self::Output => "Output",
            Self::Listen => "Listen to",
            Self::MinSnr => "All noise below",
            Self::MaxErb => "All clean above",
            Self::MaxDf => "Mask only above",
            Self::Link => "Stereo link",
            Self::Bypass => "Bypass",
            Self::LatencyMode => "Latency",
            Self::Model => "Model",
            Self::DeviceA => "Device A",
            Self::DeviceB => "Device B",
            Self::Compare => "Compare",
        }
    }

    /// What it does and its unit, for the tooltip.
    pub fn help(self) -> &'static str {
        match self {
            Self::Limit => {
                "The most that noise is turned down, in dB. 100 dB removes all that the network takes for noise; \
                 12 to 24 dB keep some room and hide mistakes; 0 dB passes the input."
            }
            Self::Mix => {
                "How much of the result is processed, in per cent. The rest is the input, delayed to match, so that \
                 nothing combs."
            }
            Self::PostFilter => {
                "Pushes weak remains of noise further down, without unit. 0 is off, 0.02 is usual; too much makes \
                 speech thin."
            }
            Self::Output => "Gain after everything else, in dB.",
            Self::Listen => {
                "Denoised is the result. Removed is what was taken away, at the same delay: speech in it means that \
                 the limit is too strong."
            }
            Self::MinSnr => {
                "Local SNR in dB below which a frame counts as noise alone and becomes silence. At −15 dB never."
            }
            Self::MaxErb => {
                "Local SNR in dB above which a frame counts as clean and stays as it is. At 35 dB never."
            }
            Self::MaxDf => {
                "Local SNR in dB above which the coarse mask alone works, without the deep filter; saves time in \
                 good recordings. At 35 dB never."
            }
            Self::Link => {
                "How the two masks of a stereo pair are joined, so that the image stands still: not at all, by \
                 their larger value, or by their mean."
            }
            Self::Bypass => "Passes the input, delayed to match, without a click.",
            Self::LatencyMode => {
                "Safe grants inference one more hop (10 ms). Lowest grants none: for monitoring, on a computer with \
                 time to spare. The host restarts the plugin to take note."
            }
            Self::Model => {
                "DeepFilterNet3 looks 20 ms ahead. The low-latency variant does not look ahead and costs some \
                 quality. The host restarts the plugin to take note."
            }
            Self::DeviceA => "What the network of slot A runs on.",
            Self::DeviceB => "What the network of slot B runs on.",
            Self::Compare => {
                "Feeds slot B the same frames as slot A, so that both can be measured and heard. Costs what device B \
                 costs."
            }
        }
    }
}

/// What the panel asks for besides parameters.
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
    /// The notice was read.
    DismissNotice,
}

/// Parameters and actions, as the panel needs them. Values are normalised, 0..=1.
///
/// A change is a gesture: [`begin`](Self::begin), any number of [`set`](Self::set), [`end`](Self::end). Hosts make one undo
/// step of it.
pub trait PanelParams {
    /// The value now.
    fn value(&self, id: ParamId) -> f32;
    /// The value of a fresh instance.
    fn default_value(&self, id: ParamId) -> f32;
    /// Begins a gesture.
    fn begin(&mut self, id: ParamId);
    /// Sets the value; within a gesture only.
    fn set(&mut self, id: ParamId, value: f32);
    /// Ends the gesture.
    fn end(&mut self, id: ParamId);
    /// A value with its unit, as the host writes it.
    fn text(&self, id: ParamId, value: f32) -> String;
    /// The value that a text means, with or without unit.
    fn parse(&self, id: ParamId, text: &str) -> Option<f32>;
    /// A value in its unit.
    fn plain(&self, id: ParamId, value: f32) -> f32;
    /// Steps between the ends: one less than its choices; `None` if it is continuous.
    fn steps(&self, id: ParamId) -> Option<usize>;
    /// Does something that is no parameter.
    fn perform(&mut self, action: Action);
}

/// A gesture of one value.
pub fn change(controls: &mut dyn PanelParams, id: ParamId, value: f32) {
    controls.begin(id);
    controls.set(id, value);
    controls.end(id);
}

/// The chosen one of a parameter's choices.
pub fn choice(controls: &dyn PanelParams, id: ParamId) -> usize {
    let steps = controls.steps(id).unwrap_or(1) as f32;
    (controls.value(id) * steps).round() as usize
}

/// Chooses one of a parameter's choices.
pub fn choose(controls: &mut dyn PanelParams, id: ParamId, choice: usize) {
    let steps = controls.steps(id).unwrap_or(1).max(1) as f32;
    change(controls, id, choice as f32 / steps);
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

    /// Begins to drag.
    pub fn grab(&mut self, controls: &mut dyn PanelParams, id: ParamId) {
        self.finish(controls);
        self.start(controls, id);
    }

    fn start(&mut self, controls: &mut dyn PanelParams, id: ParamId) {
        controls.begin(id);
        *self = Self { id: Some(id), value: controls.value(id), ends_s: None };
    }

    /// Moves the parameter that is being dragged.
    pub fn drag(&mut self, controls: &mut dyn PanelParams, by: f32) {
        if let Some(id) = self.id {
            self.value = (self.value + by).clamp(0.0, 1.0);
            controls.set(id, self.value);
        }
    }

    /// Moves a parameter by wheel or keys; the gesture ends by itself.
    pub fn nudge(&mut self, controls: &mut dyn PanelParams, id: ParamId, by: f32, now_s: f64) {
        if !self.turns(id) {
            self.grab(controls, id);
        }
        self.drag(controls, by);
        self.ends_s = Some(now_s + NUDGE_S);
    }

    /// Ends what is under way.
    pub fn finish(&mut self, controls: &mut dyn PanelParams) {
        if let Some(id) = self.id.take() {
            controls.end(id);
        }
    }

    /// Ends what is due; once per frame. Returns the seconds until the next end, to be called again then.
    pub fn tick(&mut self, controls: &mut dyn PanelParams, pointer_down: bool, now_s: f64) -> Option<f64> {
        match self.ends_s {
            Some(ends_s) if now_s < ends_s => return self.id.map(|_| ends_s - now_s),
            None if pointer_down => {}
            _ => self.finish(controls),
        }
        None
    }
}
