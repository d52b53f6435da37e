//! Panics that become errors: those of decoders that other people wrote, and whatever else one file of many meets.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// How many layers of this thread turn a panic into an error.
    static N_LAYERS: Cell<u32> = const { Cell::new(0) };
}

/// Does work whose panic becomes an error that holds its message, and is kept off the terminal (unless `RUST_BACKTRACE` is
/// set).
///
/// # Errors
/// The work panicked. What it had borrowed may be half changed then, and is only to be dropped.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let _layer = Layer::new();
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Panicked(text(&*panic).to_owned()))
}

/// The message of a panic.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Panicked(pub String);

/// One layer of [`caught`], also where the work panics.
struct Layer;

impl Layer {
    fn new() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let default = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if N_LAYERS.get() == 0 || std::env::var_os("RUST_BACKTRACE").is_some() {
                    default(info);
                }
            }));
        });
        N_LAYERS.set(N_LAYERS.get() + 1);
        Self
    }
}

impl Drop for Layer {
    fn drop(&mut self) {
        N_LAYERS.set(N_LAYERS.get() - 1);
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_in_every_layer() {
        let Panicked(text) = caught(|| [0_u8; 4][std::hint::black_box(7)]).unwrap_err();
        assert!(text.contains("index out of bounds"), "{text}");
        assert_eq!(caught(|| 7).unwrap(), 7);
        assert_eq!(N_LAYERS.get(), 0);
        let nested =
            caught(|| caught(|| panic!("inner")).map_err(|Panicked(text)| panic!("outer after {text}")));
        assert_eq!(nested.map(|result: Result<(), ()>| result.is_ok()).unwrap_err().0, "outer after inner");
        assert_eq!(N_LAYERS.get(), 0);
    }
}
