//! Contains a panic of the panel's, which would end the window's thread: the window says that it has failed.
//!
//! On the window's thread. The sound does not depend on it, and the next window begins anew.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Text in the window of a panel that has failed.
pub const FAILURE: &str = "The panel has failed. Sound goes on; close this window and open it again.";

/// Whether the panel has failed since its window was opened.
#[derive(Debug, Default)]
pub struct Containment {
    has_failed: bool,
}

impl Containment {
    /// Draws, as long as that has not failed, and says whether it has.
    pub fn draw(&mut self, draw: impl FnOnce()) -> bool {
        // Nothing that the panel has left half done is used again but what locks hold, and those are not poisoned.
        self.has_failed = self.has_failed || catch_unwind(AssertUnwindSafe(draw)).is_err();
        self.has_failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_that_panics_is_drawn_no_more() {
        let mut containment = Containment::default();
        let mut n_drawn = 0;
        assert!(!containment.draw(|| n_drawn += 1));
        assert!(containment.draw(|| panic!("a panel")));
        assert!(containment.draw(|| n_drawn += 1));
        assert_eq!(n_drawn, 1);
        assert!(!Containment::default().draw(|| ()));
    }
}
