//! The panel's window: connects the drawing code of [`crate::panel`] with this instance's parameters and meters.
//!
//! On the window's thread. While the window is open it looks at the meters at most [`MAX_FPS`] times a second; when it is
//! closed nothing of it runs.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use nice_plug::context::gui::GuiContext;
use nice_plug::editor::dpi::{LogicalSize, Size};
use nice_plug::editor::{ResizeHint, SizeConstraints};
use nice_plug_egui::baseview::{HandlerError, WindowSize};
use nice_plug_egui::{EguiEditorState, EguiNiceSettings, Frame, NiceEguiApp, RepaintNotifier};

use crate::panel::host_params::{Action, HostParams};
use crate::panel::view_model::{Notice, ViewModel};
use crate::panel::{MAX_FPS, Panel, SIZE, Settings, View};
use crate::params::presets::{OfParams as _, PresetValues};
use crate::slot::SlotId;

use super::accessibility::Accessibility;
#[cfg(target_os = "linux")]
use super::keyboard_focus::KeyboardFocus;
use super::shared::Shared;
#[cfg(target_os = "linux")]
use super::visibility::Visibility;

pub mod audio;
mod containment;
mod csv_export;
mod editor;
mod meter_reader;
mod pending;
mod presets;
mod system_info;

use containment::{Containment, FAILURE};
use editor::native_size;
use meter_reader::MeterReader;
use pending::Pending;
use presets::Presets;
use system_info::SystemInfo;

/// Smallest window, points: room for one knob and a scroll bar.
const SMALLEST: (f32, f32) = (320.0, 240.0);
/// Between two looks while nothing moves: often enough to see that the host has started.
const AT_REST: Duration = Duration::from_millis(200);

/// The panel of one instance, as the framework wants it.
pub type Editor = editor::Editor<Window>;

/// The panel of an instance as an editor of the framework.
pub fn editor(shared: &Arc<Shared>) -> Option<Editor> {
    let (width, height) = match shared.params.extras.read().map(|extras| extras.window) {
        Ok((width, height)) if width > 0 && height > 0 => (width, height),
        _ => SIZE,
    };
    let size = Size::Logical(LogicalSize::new(f64::from(width), f64::from(height)));
    let settings = EguiNiceSettings {
        title: "Tacet".into(),
        resize_hint: ResizeHint {
            size_constraints: SizeConstraints::min_logical_size(LogicalSize::new(SMALLEST.0, SMALLEST.1)),
            ..ResizeHint::RESIZABLE
        },
        repaint_poll_interval: Duration::from_secs(1) / MAX_FPS,
        ..EguiNiceSettings::default()
    };
    let state = EguiEditorState::from_size(size, audio::host().map_or(1.0, |host| host.scale()));
    let repaint = RepaintNotifier::new();
    let window = Window::new(shared.clone(), repaint.clone());
    shared.host_keys.set_repaint(repaint.clone());
    let inner = nice_plug_egui::create_egui_editor(state, repaint, settings, window)?;
    Some(Editor::new(inner, shared.clone()))
}

/// The window's contents, and its handling of input. Lives as long as the instance; what belongs to
/// one opening is made anew in [`NiceEguiApp::build`].
pub struct Window {
    shared: Arc<Shared>,
    repaint: RepaintNotifier,
    gui: Option<GuiContext>,
    panel: Panel,
    view_model: ViewModel,
    settings: Settings,
    meter_reader: MeterReader,
    system_info: SystemInfo,
    presets: Presets,
    pending: Pending,
    containment: Containment,
}

/// Keeps the spectra coming while a window is open. Held by the window's egui context, which dies with the window.
struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.meters.feed.unwatch();
        self.0.host_keys.set_editing(false);
    }
}

impl Window {
    pub(super) fn new(shared: Arc<Shared>, repaint: RepaintNotifier) -> Self {
        Self {
            shared,
            repaint,
            gui: None,
            panel: Panel::default(),
            view_model: ViewModel::default(),
            settings: Settings::default(),
            meter_reader: MeterReader::default(),
            system_info: SystemInfo::default(),
            presets: Presets::default(),
            pending: Pending::default(),
            containment: Containment::default(),
        }
    }

    /// Brings the view model up to date, at every frame; says whether anything moves. Never waits for a device.
    pub(super) fn refresh(&mut self, in_devices: bool, now_s: f64) -> bool {
        if let Some(shown) = &mut self.view_model.audio {
            shown.is_muted = self.shared.is_muted.load(Relaxed);
            shown.n_xruns = audio::host().and_then(|host| host.n_xruns());
        }
        let moved = self.meter_reader.read(&self.shared, &mut self.view_model, in_devices, now_s);
        self.system_info.show(&mut self.view_model, in_devices);
        self.presets.show(&self.shared.params, &mut self.view_model.presets);
        self.pending.show(&self.shared, &mut self.view_model, self.gui.as_ref(), now_s);
        moved
    }

    /// Does what was pressed in this frame.
    fn perform(&mut self, action: Action) {
        match action {
            Action::Retry(slot) => {
                // Opening a device may take long: not on the window's thread.
                self.shared.ask_to_retry(SlotId::ALL[slot.min(1)]);
            }
            Action::ResetStatistics => self.meter_reader.reset(&self.shared.meters),
            Action::ExportCsv => {
                self.view_model.notice =
                    Some(match csv_export::export(&self.view_model, &self.meter_reader) {
                        Ok(path) => Notice {
                            text: format!("Measurements saved to {}", path.display()),
                            is_error: false,
                        },
                        Err(error) => Notice { text: error.to_string(), is_error: true },
                    });
            }
            Action::SetMpsFallback(on) => {
                if let Err(error) = self.system_info.set_mps_fallback(on) {
                    self.view_model.notice = Some(Notice { text: error.to_string(), is_error: true });
                }
            }
            Action::RecallPreset(name) => {
                if let Some(gui) = &self.gui {
                    self.presets.recall(&self.shared.params, gui, &name);
                }
            }
            Action::SavePreset(name) => {
                let saved = self.presets.save(&self.shared.params, &name);
                self.notify(saved, &format!("Saved as “{name}”"));
            }
            Action::DeletePreset(name) => {
                let deleted = self.presets.delete(&self.shared.params, &name);
                self.notify(deleted, &format!("Deleted “{name}”"));
            }
            Action::SelectInput(name) => self.restart(audio::Chosen::Input(name)),
            Action::SelectOutput(name) => self.restart(audio::Chosen::Output(name)),
            Action::Mute(is_muted) => self.shared.is_muted.store(is_muted, Relaxed),
            Action::DismissNotice => self.view_model.notice = None,
            // Also where the host does not call for audio now.
            Action::OpenDevices => self.shared.signal.raise(),
        }
    }

    /// Begins again with another audio device. Comes back only where that fails.
    fn restart(&mut self, chosen: audio::Chosen) {
        let reason = match audio::host() {
            Some(host) => host.restart(chosen, &PresetValues::of_program(&self.shared.params)),
            None => std::io::Error::other("the host chooses the audio devices"),
        };
        let text = format!("The audio device was not changed: {reason}");
        self.view_model.notice = Some(Notice { text, is_error: true });
    }

    fn notify<E: std::fmt::Display>(&mut self, outcome: Result<(), E>, good_news: &str) {
        self.view_model.notice = Some(match outcome {
            Ok(()) => Notice { text: good_news.into(), is_error: false },
            Err(error) => Notice { text: error.to_string(), is_error: true },
        });
    }

    /// Shows what is wrong with the devices of a program of its own.
    fn show_fault(&mut self) {
        self.view_model.fault = audio::fault();
    }

    /// Keeps the user's settings in what the host saves.
    fn remember(&self) {
        if let (Ok(mut extras), Ok(panel)) =
            (self.shared.params.extras.write(), serde_json::to_value(&self.settings))
        {
            extras.panel = panel;
        }
    }

    /// A picture.
    fn draw(&mut self, ui: &mut egui::Ui, frame: &mut Frame) {
        let Some(gui) = self.gui.clone() else { return };
        #[cfg(target_os = "linux")]
        if !Visibility::is_visible(ui.ctx()) {
            // An empty picture now and then, which nobody sees.
            ui.ctx().request_repaint_after(AT_REST);
            return;
        }
        Accessibility::set_focus(ui.ctx(), frame.baseview_window().has_focus());
        ui.ctx().input_mut(|input| input.events.extend(self.shared.host_keys.take()));
        let scale = ui.ctx().native_pixels_per_point().unwrap_or(1.0);
        *self.shared.smallest_window.lock() =
            [SMALLEST.0, SMALLEST.1].map(|points| (points * scale).round() as u32);
        let now_s = ui.input(|input| input.time);
        let in_devices = self.settings.view == View::Devices;
        let moved = self.refresh(in_devices, now_s);
        let before = self.settings.clone();
        let mut params = HostParams::new(self.shared.params.clone(), gui);
        self.panel.ui(ui, &mut self.view_model, &mut params, &mut self.settings);
        params.take_actions().into_iter().for_each(|action| self.perform(action));
        if self.settings != before {
            self.remember();
        }
        self.show_fault();
        self.shared.host_keys.set_editing(ui.ctx().text_edit_focused());
        #[cfg(target_os = "linux")]
        KeyboardFocus::update(ui.ctx(), frame);
        let pause = if moved { Duration::from_secs(1) / MAX_FPS } else { AT_REST };
        ui.ctx().request_repaint_after(pause);
    }
}

impl NiceEguiApp for Window {
    fn build(&mut self, ctx: egui::Context, gui: GuiContext, frame: &mut Frame) -> Result<(), HandlerError> {
        #[cfg(target_os = "linux")]
        self.shared.drawing_thread.begin();
        self.panel.open(&ctx);
        Accessibility::connect(&ctx, frame, &self.repaint);
        #[cfg(target_os = "linux")]
        {
            if audio::host().is_none() {
                KeyboardFocus::follow(&ctx, frame);
            }
            Visibility::follow(&ctx, frame);
        }
        let extras = self.shared.params.extras.read().map(|extras| extras.clone()).unwrap_or_default();
        self.settings = serde_json::from_value(extras.panel).unwrap_or_default();
        if extras.window.0 > 0 && extras.window.1 > 0 {
            let (width, height) = extras.window;
            let size = egui::vec2(width as f32, height as f32);
            ctx.send_viewport_cmd(egui::ViewportCommand::InnerSize(size));
        }
        self.shared.meters.feed.start_watching();
        let watch = Arc::new(Watch(self.shared.clone()));
        ctx.data_mut(|data| data.insert_temp(egui::Id::unique("watch"), watch));
        self.view_model = ViewModel::default();
        self.meter_reader.open(&self.shared.meters);
        self.system_info.open();
        self.presets.reload();
        self.pending.open();
        self.containment = Containment::default();
        self.view_model.audio = audio::host().map(|host| host.devices());
        self.gui = Some(gui);
        Ok(())
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut Frame) {
        let mut containment = std::mem::take(&mut self.containment);
        if containment.draw(|| self.draw(ui, frame)) {
            self.shared.host_keys.set_editing(false);
            ui.label(FAILURE);
        }
        self.containment = containment;
    }

    fn resized(&mut self, size: WindowSize) {
        *self.shared.open_size.lock() = Some(native_size(size));
        if let Ok(mut extras) = self.shared.params.extras.write() {
            extras.window = (size.logical.width as u32, size.logical.height as u32);
        }
    }
}
