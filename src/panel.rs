//! The panel: input, output and reduction, and the cost of each device.
//!
//! Drawing code alone, on the window's thread: it reads a [`ViewModel`], changes parameters through [`HostParams`], and
//! does not know the audio thread. With the window closed nothing here runs.

mod about;
mod advanced;
mod audio;
mod bars;
mod colour;
mod denoise;
mod devices;
mod fault;
mod history;
mod history_bar;
pub mod host_params;
pub(crate) mod level_meter;
mod limits;
mod presets;
mod recording;
mod room;
mod spectrogram;
pub mod system;
pub mod text;
pub mod theme;
pub mod trace;
pub mod view_model;
mod widgets;

use std::time::Duration;

use egui::{Rect, ScrollArea, Ui, UiBuilder, Vec2, pos2, vec2};
use serde::{Deserialize, Serialize};

pub use self::advanced::Page;
pub use self::spectrogram::Axis;
use self::{
    history::History,
    host_params::{Gesture, HostParams},
    spectrogram::Spectrogram,
    theme::{Appearance, Theme},
    trace::Which,
    view_model::ViewModel,
};
use crate::parameters::ParamId;

/// Size of a fresh window, points.
pub const SIZE: (u32, u32) = (860, 560);
/// Smallest size that shows everything side by side. A narrower window leaves things out, a lower one scrolls.
const SMALLEST: Vec2 = vec2(760.0, 500.0);
/// Width of the narrowest window that shows the controls.
const NARROWEST: f32 = 320.0;
/// Height of header and footer, points.
const BAR: f32 = 44.0;
/// Frames per second at most.
pub const MAX_FPS: u32 = 30;

/// The panel's views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum View {
    /// The denoised and the removed signal.
    #[default]
    Denoise,
    /// The cost of each device.
    Devices,
    /// The standalone's audio devices.
    Audio,
    /// Version, latency, licences.
    About,
}

impl View {
    /// In the order of the footer.
    pub const ALL: [Self; 4] = [Self::Denoise, Self::Devices, Self::Audio, Self::About];

    /// Its name in the footer.
    pub fn name(self) -> &'static str {
        match self {
            Self::Denoise => "Denoise",
            Self::Devices => "Devices",
            Self::Audio => "Audio",
            Self::About => "About",
        }
    }
}

/// How the user likes the panel; saved with the plugin's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Dark or light.
    pub appearance: Appearance,
    /// Frequency axis of the spectrograms.
    pub axis: Axis,
    /// The view last open.
    pub view: View,
    /// Whether the advanced controls are unfolded.
    pub advanced: bool,
    /// The page of them that is shown.
    pub page: Page,
    /// Whether the limit by frequency has its handles shown.
    pub limits: bool,
    /// The hops that the device table covers.
    #[serde(skip)]
    pub phase: crate::lab::Phase,
}

/// The panel's own state: pictures, and what the user is in the midst of.
pub struct Panel {
    input: Spectrogram,
    output: Spectrogram,
    gesture: Gesture,
    editing: Option<Editing>,
    /// Name of the preset that is being saved.
    saving: Option<String>,
    history: History,
    installed: Option<Appearance>,
}

impl Default for Panel {
    fn default() -> Self {
        Self {
            input: Spectrogram::new(Which::Input),
            output: Spectrogram::new(Which::Output),
            gesture: Gesture::default(),
            editing: None,
            saving: None,
            history: History::default(),
            installed: None,
        }
    }
}

/// A value that is being typed.
struct Editing {
    id: ParamId,
    text: String,
    /// Opened in this frame: the field takes the focus and selects nothing.
    fresh: bool,
    /// Opened from the keyboard: the control gets it back. After a click nobody does, so that it is the host's again.
    by_key: bool,
}

/// Context for every part of the panel.
struct Cx<'a> {
    theme: &'static Theme,
    view_model: &'a mut ViewModel,
    params: &'a mut HostParams,
    settings: &'a mut Settings,
    panel: &'a mut Panel,
}

impl Panel {
    /// Prepares a window's context; once, before its first pass. Pictures of an earlier window are forgotten.
    pub fn open(&mut self, ctx: &egui::Context) {
        *self = Self::default();
        theme::install_fonts(ctx);
    }

    /// Draws the panel into all of `ui` and serves its controls.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view_model: &mut ViewModel,
        params: &mut HostParams,
        settings: &mut Settings,
    ) {
        if self.installed != Some(settings.appearance) {
            theme::install(ui.ctx(), settings.appearance);
            // This pass took its style before.
            ui.set_style(ui.ctx().global_style());
            self.installed = Some(settings.appearance);
        }
        let theme = settings.appearance.theme();
        let window = ui.max_rect();
        ui.painter().rect_filled(window, 0, theme.window);
        let (pointer_down, now_s) = ui.input(|input| (input.pointer.any_down(), input.time));
        if let Some(ends_in_s) = self.gesture.tick(params, pointer_down, now_s) {
            ui.ctx().request_repaint_after(Duration::from_secs_f64(ends_in_s));
        }
        let mut cx = Cx { theme, view_model, params, settings, panel: self };
        if cx.view_model.audio.is_some() {
            history_bar::serve(ui, &mut cx);
        }
        let size = window.size().max(vec2(NARROWEST, SMALLEST.y));
        if size == window.size() {
            contents(ui, &mut cx, window);
        } else {
            ScrollArea::both().auto_shrink(false).show(ui, |ui| {
                let (_, rect) = ui.allocate_space(size);
                contents(ui, &mut cx, rect);
            });
        }
    }
}

/// Header, view and footer in `rect`.
fn contents(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let header = Rect::from_min_size(rect.min, vec2(rect.width(), BAR));
    let footer = Rect::from_min_max(pos2(rect.left(), rect.bottom() - BAR), rect.max);
    let middle = Rect::from_min_max(pos2(rect.left(), header.bottom()), pos2(rect.right(), footer.top()));
    bars::header(ui, cx, header);
    let middle = fault::strip(ui, cx, middle);
    if cx.settings.view == View::Audio && cx.view_model.audio.is_none() {
        cx.settings.view = View::Denoise;
    }
    let view = cx.settings.view;
    let builder = UiBuilder::new().max_rect(middle).id_salt(view.name());
    ui.scope_builder(builder, |ui| match view {
        View::Denoise => denoise::view(ui, cx, middle),
        View::Devices => scrolled(ui, cx, middle, devices::view),
        View::Audio => scrolled(ui, cx, middle, audio::view),
        View::About => scrolled(ui, cx, middle, about::view),
    });
    bars::footer(ui, cx, footer);
    bars::notice(ui, cx, middle);
}

/// A view that may be larger than its place; it returns the height it took.
fn scrolled(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect, view: fn(&mut Ui, &mut Cx<'_>, Rect) -> f32) {
    let width = rect.width().max(SMALLEST.x);
    ScrollArea::new([width > rect.width(), true]).auto_shrink(false).show(ui, |ui| {
        let top = ui.cursor().min;
        let inside = Rect::from_min_size(top, vec2(width, rect.height())).shrink2(vec2(16.0, 0.0));
        let height = view(ui, cx, inside);
        ui.allocate_space(vec2(width, height));
    });
}

/// Whether a place as wide as the window has no room for everything.
fn is_narrow(rect: Rect) -> bool {
    rect.width() < SMALLEST.x
}
