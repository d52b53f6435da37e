//! The thread that draws an open window, on Linux: it has ended when the window is closed, and what it has loaded stays.
//!
//! baseview ends that thread without waiting for it where it stops soon. It would draw into a window that the host has
//! destroyed, and run its last destructors while the next window opens or the process ends. It also unloads the graphics
//! driver with each window; a thread that ends at this moment jumps into what is gone. Either ends the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use libloading::Library;
use parking_lot::Mutex;

/// Longest wait for a thread that ends: what a driver needs on a loaded machine, many times over.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// Beginnings of the names of graphics libraries: those of X11, Mesa and NVIDIA.
const GRAPHICS: [&str; 9] =
    ["libEGL", "libGL", "libX", "libdrm", "libgallium", "libglapi", "libnvidia", "libxcb", "libxkb"];
/// Ending of the names of Mesa's drivers.
const DRIVER: &str = "_dri.so";

/// The system's entry of the thread that draws the window, while one is open.
#[derive(Default)]
pub struct DrawingThread(Mutex<Option<PathBuf>>);

impl DrawingThread {
    /// The calling thread begins to draw; its graphics driver is loaded.
    pub fn begin(&self) {
        *self.0.lock() =
            fs::read_link("/proc/thread-self").ok().map(|thread| Path::new("/proc").join(thread));
        static LOADED: Once = Once::new();
        LOADED.call_once(keep_graphics_loaded);
    }

    /// Waits until the thread has ended. On the thread that closes the window.
    pub fn wait(&self) {
        let Some(thread) = self.0.lock().take() else { return };
        let deadline = Instant::now() + PATIENCE;
        while thread.exists() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Holds the graphics libraries of this process until it ends.
fn keep_graphics_loaded() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut paths: Vec<&str> = maps.lines().filter_map(graphics_library).collect();
    paths.dedup();
    for path in paths {
        // SAFETY: the library is loaded, hence nothing of it is run.
        if let Ok(library) = unsafe { Library::new(path) } {
            std::mem::forget(library);
        }
    }
}

/// The graphics library that a line of `/proc/self/maps` names (proc(5)).
fn graphics_library(line: &str) -> Option<&str> {
    let path = &line[line.find('/')?..];
    let name = path.rsplit('/').next()?;
    let is_graphics = GRAPHICS.iter().any(|start| name.starts_with(start)) || name.ends_with(DRIVER);
    (is_graphics && name.contains(".so")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphics_libraries_are_recognised() {
        let line = |name: &str| format!("7f00-7f01 r-xp 00000000 08:01 42      /usr/lib/{name}");
        for name in ["libGLX_mesa.so.0.0.0", "dri/swrast_dri.so", "libX11.so.6.4.0", "libnvidia-tls.so.1"] {
            assert_eq!(graphics_library(&line(name)), Some(format!("/usr/lib/{name}").as_str()));
        }
        for name in ["libc.so.6", "Tacet.so", "libGLX.txt", "plugins/libsome.so"] {
            assert_eq!(graphics_library(&line(name)), None);
        }
        assert_eq!(graphics_library("7f00-7f01 rw-p 00000000 00:00 0 [heap]"), None);
    }

    #[test]
    fn a_thread_that_ends_is_waited_for() {
        let drawing = std::sync::Arc::new(DrawingThread::default());
        drawing.wait();
        let (begun, has_begun) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let drawing = drawing.clone();
            move || {
                drawing.begin();
                begun.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        has_begun.recv().unwrap();
        drawing.wait();
        assert!(thread.is_finished());
    }
}
