//! NSAccessibility. The system asks views; ours lies over the window's own, as large as it, draws nothing and lets the
//! pointer through.
//!
//! The window's own view cannot answer: the framework makes a class for each view and disposes of it with the view, so that
//! nothing may be derived from it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::ptr;
use std::sync::OnceLock;

use accesskit_macos::{Adapter as System, NSPoint as SystemPoint, QueuedEvents};
use egui::accesskit::TreeUpdate;
use nice_plug_egui::Frame;
use objc2::rc::{Allocated, Retained};
use objc2::runtime::{AnyClass, AnyObject, ClassBuilder, Sel};
use objc2::{ClassType, msg_send, sel};
use objc2_app_kit::{NSAutoresizingMaskOptions, NSView};
use objc2_foundation::NSPoint;
use raw_window_handle::{HasWindowHandle, RawWindowHandle};
use tacet_realtime::inference::keep_loaded::keep_library_loaded;

use super::Handler;

/// State that belongs to a view.
struct State {
    system: System,
    handler: Handler,
}

thread_local! {
    /// Our views, by their addresses. On the main thread only, where the system asks.
    static VIEWS: RefCell<HashMap<usize, State>> = RefCell::default();
}

/// Works on a view's state; nothing happens on another thread than the main one, where it is gone, or while it is at work.
fn with<R>(view: usize, work: impl FnOnce(&mut State) -> R) -> Option<R> {
    let found = VIEWS.try_with(|views| views.try_borrow_mut().ok()?.get_mut(&view).map(work));
    found.ok().flatten()
}

/// A window on NSAccessibility, as the number of its view. The window's own view holds the latter.
pub struct Adapter(usize);

impl Adapter {
    pub fn new(frame: &Frame, handler: &Handler) -> Option<Self> {
        let handle = frame.baseview_window().window_handle().ok()?;
        let RawWindowHandle::AppKit(handle) = handle.as_raw() else { return None };
        // SAFETY: the framework names its own view, which lives while the window is being opened, and this is its thread.
        let below = unsafe { handle.ns_view.cast::<NSView>().as_ref() };
        let class = class()?;
        // SAFETY: the class is NSView's, with no other way to be initialised; a view of that class is an NSView.
        let view: Retained<NSView> = unsafe {
            let allocated: Allocated<NSView> = msg_send![class, alloc];
            msg_send![allocated, initWithFrame: below.bounds()]
        };
        view.setAutoresizingMask(
            NSAutoresizingMaskOptions::ViewWidthSizable | NSAutoresizingMaskOptions::ViewHeightSizable,
        );
        below.addSubview(&view);
        let address = Retained::as_ptr(&view);
        // SAFETY: the view was just made, and this is the main thread.
        let system = unsafe { System::new(address.cast_mut().cast(), false, handler.clone()) };
        let state = State { system, handler: handler.clone() };
        VIEWS.with_borrow_mut(|views| views.insert(address as usize, state));
        Some(Self(address as usize))
    }

    pub(crate) fn set_focus(&mut self, has_focus: bool) {
        announce(with(self.0, |state| state.system.update_view_focus_state(has_focus)));
    }

    pub fn describe(&mut self, update: TreeUpdate) {
        announce(with(self.0, |state| state.system.update_if_active(|| update)));
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // The view stays with the one below, and has nothing to say any more.
        let state = VIEWS.try_with(|views| views.borrow_mut().remove(&self.0));
        drop(state);
    }
}

/// Tells the system what has changed, when nothing is borrowed.
fn announce(changes: Option<Option<QueuedEvents>>) {
    if let Some(Some(changes)) = changes {
        changes.raise();
    }
}

/// The class of our views. Each copy of this library that is loaded has its own, which stays.
fn class() -> Option<&'static AnyClass> {
    static CLASS: OnceLock<Option<&'static AnyClass>> = OnceLock::new();
    *CLASS.get_or_init(|| {
        let name = CString::new(format!("TacetAccessibilityView_{:p}", &CLASS)).ok()?;
        let mut class = ClassBuilder::new(&name, NSView::class())?;
        keep_library_loaded();
        // SAFETY: the functions have the signatures of what they replace.
        unsafe {
            class.add_method(sel!(hitTest:), hit_test as unsafe extern "C-unwind" fn(_, _, _) -> _);
            class.add_method(sel!(accessibilityChildren), children as unsafe extern "C-unwind" fn(_, _) -> _);
            class.add_method(
                sel!(accessibilityFocusedUIElement),
                focused as unsafe extern "C-unwind" fn(_, _) -> _,
            );
            class.add_method(
                sel!(accessibilityHitTest:),
                at_point as unsafe extern "C-unwind" fn(_, _, _) -> _,
            );
        }
        Some(class.register())
    })
}

/// The pointer finds the view below.
unsafe extern "C-unwind" fn hit_test(_this: *mut AnyObject, _: Sel, _point: NSPoint) -> *mut AnyObject {
    ptr::null_mut()
}

unsafe extern "C-unwind" fn children(this: *mut AnyObject, _: Sel) -> *mut AnyObject {
    with(this as usize, |state| state.system.view_children(&mut state.handler).cast())
        .unwrap_or(ptr::null_mut())
}

unsafe extern "C-unwind" fn focused(this: *mut AnyObject, _: Sel) -> *mut AnyObject {
    with(this as usize, |state| state.system.focus(&mut state.handler).cast()).unwrap_or(ptr::null_mut())
}

unsafe extern "C-unwind" fn at_point(this: *mut AnyObject, _: Sel, point: NSPoint) -> *mut AnyObject {
    let point = SystemPoint::new(point.x, point.y);
    with(this as usize, |state| state.system.hit_test(point, &mut state.handler).cast())
        .unwrap_or(ptr::null_mut())
}
