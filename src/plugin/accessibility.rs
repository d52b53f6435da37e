//! The panel's controls for screen readers and other assistive technology, through the system's own interface: AT-SPI on
//! Linux, UI Automation on Windows, NSAccessibility on macOS.
//!
//! The panel describes its controls in [AccessKit](https://accesskit.dev)'s terms, and only while somebody asks for them: the
//! system says so through `Requests`, which is all that it may touch. The rest is on the window's thread, in the hooks
//! around each picture. Nothing here waits for the system, and where it has no such interface nothing happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use egui::accesskit::{ActionHandler, ActionRequest, ActivationHandler, DeactivationHandler, TreeUpdate};
use egui::{Context, FullOutput, RawInput};
use nice_plug_egui::{Frame, RepaintNotifier};
use parking_lot::Mutex;

#[cfg(target_os = "linux")]
#[path = "accessibility/linux.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "accessibility/macos.rs"]
mod system;
#[cfg(windows)]
#[path = "accessibility/windows.rs"]
mod system;

/// Between two descriptions where nothing was asked for: readings change with every picture.
const PAUSE: Duration = Duration::from_millis(100);
/// Name of the window.
const NAME: &str = "Tacet";

/// Actions requested by the system, on their way to the window's thread.
struct Requests {
    is_wanted: AtomicBool,
    actions: Mutex<Vec<ActionRequest>>,
    repaint: RepaintNotifier,
}

/// The system's end of [`Requests`]; on any thread.
#[derive(Clone)]
struct Handler(Arc<Requests>);

impl Handler {
    fn set_wanted(&self, is_wanted: bool) {
        self.0.is_wanted.store(is_wanted, Ordering::Relaxed);
        self.0.repaint.request_repaint();
    }
}

impl ActivationHandler for Handler {
    fn request_initial_tree(&mut self) -> Option<TreeUpdate> {
        // It comes with the next picture.
        self.set_wanted(true);
        None
    }
}

impl DeactivationHandler for Handler {
    fn deactivate_accessibility(&mut self) {
        self.set_wanted(false);
    }
}

impl ActionHandler for Handler {
    fn do_action(&mut self, request: ActionRequest) {
        self.0.actions.lock().push(request);
        self.0.repaint.request_repaint();
    }
}

/// An open window as the system sees it. Held by the window's egui context, which dies with the window.
pub struct Accessibility {
    requests: Arc<Requests>,
    adapter: system::Adapter,
    /// When the panel was described last.
    described: Option<Instant>,
    /// Whether the next description must not wait.
    is_urgent: bool,
}

impl Accessibility {
    /// Connects the window that is being opened with the system, where that is possible. Whoever draws it is notified by
    /// `repaint`.
    pub fn connect(ctx: &Context, frame: &Frame, repaint: &RepaintNotifier) {
        let requests = Arc::new(Requests {
            is_wanted: AtomicBool::new(false),
            actions: Mutex::default(),
            repaint: repaint.clone(),
        });
        if let Some(adapter) = system::Adapter::new(frame, &Handler(requests.clone())) {
            ctx.add_plugin(Self { requests, adapter, described: None, is_urgent: false });
        }
    }

    /// Says whether the window has the keyboard's focus, before each picture.
    pub(crate) fn set_focus(ctx: &Context, has_focus: bool) {
        if let Some(this) = ctx.plugin_opt::<Self>() {
            this.lock().adapter.set_focus(has_focus);
        }
    }
}

impl egui::Plugin for Accessibility {
    fn debug_name(&self) -> &'static str {
        "accessibility"
    }

    fn input_hook(&mut self, ctx: &Context, input: &mut RawInput) {
        if !self.requests.is_wanted.load(Ordering::Relaxed) {
            ctx.disable_accesskit();
            self.described = None;
            return;
        }
        ctx.enable_accesskit();
        let actions = std::mem::take(&mut *self.requests.actions.lock());
        self.is_urgent |= !actions.is_empty() || !input.events.is_empty();
        input.events.extend(actions.into_iter().map(egui::Event::AccessKitActionRequest));
    }

    fn output_hook(&mut self, _ctx: &Context, output: &mut FullOutput) {
        let Some(mut update) = output.platform_output.accesskit_update.take() else { return };
        // Another picture comes soon, also where nothing moves.
        if !self.is_urgent && self.described.is_some_and(|described| described.elapsed() < PAUSE) {
            return;
        }
        name_window(&mut update);
        self.adapter.describe(update);
        self.described = Some(Instant::now());
        self.is_urgent = false;
    }
}

/// The root of what egui describes has no name.
fn name_window(update: &mut TreeUpdate) {
    let Some(root) = update.tree.as_ref().map(|tree| tree.root) else { return };
    if let Some((_, window)) = update.nodes.iter_mut().find(|(id, _)| *id == root) {
        window.set_label(NAME);
    }
}
