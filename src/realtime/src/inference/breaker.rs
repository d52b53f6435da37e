//! Decides when an engine that fails is given up: after a few failures in a row, or when it fails again and again.

/// Failed steps in a row after which an engine is given up.
const MAX_IN_A_ROW: u32 = 3;
/// Failed steps on an engine's account after which it is given up, however many succeed in between.
const MAX_ON_ACCOUNT: f32 = 8.0;
/// Credit for a step that succeeds: an engine may fail once a second.
const FORGIVENESS: f32 = 0.01;

/// An engine's record.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breaker {
    n_in_a_row: u32,
    account: f32,
}

impl Breaker {
    /// Notes a step that succeeded.
    pub fn succeed(&mut self) {
        self.n_in_a_row = 0;
        self.account = (self.account - FORGIVENESS).max(0.0);
    }

    /// Notes a step that failed for `reason`; returns why the engine is to be given up, if it is.
    pub fn fail(&mut self, reason: &str) -> Option<String> {
        self.n_in_a_row += 1;
        self.account += 1.0;
        if self.n_in_a_row >= MAX_IN_A_ROW {
            Some(reason.to_owned())
        } else if self.account >= MAX_ON_ACCOUNT {
            Some(format!("it fails again and again, the last time because {reason}"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps until the breaker trips if every `period`th fails; `None` if it does not within a minute.
    fn trips_after(period: usize) -> Option<usize> {
        let mut breaker = Breaker::default();
        (1..=6000).find(|step| {
            if step % period == 0 {
                return breaker.fail("as scripted").is_some();
            }
            breaker.succeed();
            false
        })
    }

    #[test]
    fn three_in_a_row_or_many_in_a_while() {
        assert_eq!(trips_after(1), Some(3));
        for (period, at_most) in [(2, 20), (10, 100), (50, 1000)] {
            assert!(trips_after(period).is_some_and(|step| step <= at_most), "{period}");
        }
        assert_eq!(trips_after(110), None, "less than once a second");
    }

    #[test]
    fn the_reason_is_kept() {
        let mut breaker = Breaker::default();
        let reasons: Vec<_> = (0..3).map(|_| breaker.fail("it is gone")).collect();
        assert_eq!(reasons, [None, None, Some("it is gone".to_owned())]);
        let mut breaker = Breaker::default();
        let reason = (0..20).find_map(|_| {
            breaker.succeed();
            breaker.fail("it is gone")
        });
        assert!(
            reason.is_some_and(|reason| reason.contains("again and again") && reason.contains("it is gone"))
        );
    }
}
