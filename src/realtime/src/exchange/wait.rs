//! The wait rule: how long the audio thread may wait for a reply that is due.
//!
//! A host that plays in real time calls at the pace of the wall clock, and waiting would cost it its own deadline: there
//! the wait ends with the slack after the request was sent, which has passed already wherever a block is no longer than a
//! hop, and never takes more than half of a block. A host that renders faster runs *ahead* of the wall clock, and by how
//! much it is ahead, it can afford to wait. Measuring the lead makes renders bit-identical without depending on hosts'
//! offline flags, which come late, or never, or always. Where the flag is set, the full patience is granted at once.
//!
//! Lives on the audio thread; real-time safe.

use std::time::{Duration, Instant};

/// Wait in real time where a reply is due a whole hop after its request.
pub const SLACK_GRACE: Duration = Duration::from_millis(10);
/// Wait in real time where a reply is due at once.
pub const LOWEST_GRACE: Duration = Duration::from_millis(5);
/// Longest wait for one reply.
pub const MAX_WAIT: Duration = Duration::from_secs(2);
/// Lead granted to a stream that begins: what comes out is still the silence of the latency.
const FIRST_LEAD: Duration = Duration::from_millis(50);
/// Share of wall time by which the lead decays, so that a host's jitter does not pass for being ahead.
const LEAD_DECAY: f64 = 0.1;

/// Measures how far the host is ahead of the wall clock and derives deadlines from it.
#[derive(Clone, Debug)]
pub struct WaitRule {
    rate_hz: f64,
    grace: Duration,
    /// Seconds that the audio is ahead of the wall clock, when the block began.
    lead_s: f64,
    block_began: Option<Instant>,
    block_s: f64,
    /// Samples of the block that are still to come.
    n_left: usize,
    is_offline: bool,
}

impl WaitRule {
    /// A rule for blocks at `rate_hz`, with the wait that real time allows after a request.
    pub fn new(rate_hz: f64, grace: Duration) -> Self {
        Self {
            rate_hz,
            grace,
            lead_s: FIRST_LEAD.as_secs_f64(),
            block_began: None,
            block_s: 0.0,
            n_left: 0,
            is_offline: false,
        }
    }

    /// Notes that `n_samples` are processed: a piece of the block that has begun, or a block of their own.
    pub fn continue_block(&mut self, now: Instant, n_samples: usize, is_offline: bool) {
        if self.n_left == 0 {
            self.begin_block(now, n_samples, is_offline);
        }
        self.n_left = self.n_left.saturating_sub(n_samples);
    }

    /// Notes that a block of `n_samples` begins; `is_offline` is what the host says.
    pub fn begin_block(&mut self, now: Instant, n_samples: usize, is_offline: bool) {
        if let Some(before) = self.block_began {
            let wall_s = now.saturating_duration_since(before).as_secs_f64();
            let lead_s = self.lead_s + self.block_s - wall_s * (1.0 + LEAD_DECAY);
            self.lead_s = lead_s.clamp(0.0, MAX_WAIT.as_secs_f64());
        }
        self.block_began = Some(now);
        self.block_s = n_samples as f64 / self.rate_hz;
        self.n_left = n_samples;
        self.is_offline = is_offline;
    }

    /// Until when a reply may be awaited whose request was sent at `sent`.
    pub fn deadline(&self, sent: Instant) -> Instant {
        if self.is_offline {
            return sent + MAX_WAIT;
        }
        let half_block = Duration::from_secs_f64(self.block_s / 2.0);
        let block_ends = self.block_began.unwrap_or(sent) + half_block;
        // A block's own length is no lead: a host delivers blocks at once.
        let lead_s = (self.lead_s - self.block_s).max(0.0);
        (sent + self.grace).min(block_ends) + Duration::from_secs_f64(lead_s)
    }

    /// Starts again, as after a reset.
    pub fn reset(&mut self) {
        *self = Self::new(self.rate_hz, self.grace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls the rule as a host would that takes `call_s` of wall time per block, and returns the wait granted at the end.
    fn granted(block: usize, call_s: f64, n_calls: usize, grace: Duration) -> Duration {
        let mut rule = WaitRule::new(48e3, grace);
        let start = Instant::now();
        let mut now = start;
        for i in 0..n_calls {
            now = start + Duration::from_secs_f64(call_s * i as f64);
            rule.begin_block(now, block, false);
        }
        rule.deadline(now).saturating_duration_since(now)
    }

    #[test]
    fn real_time_never_waits_beyond_half_a_block() {
        for block in [16, 64, 480, 512, 2048] {
            let period = block as f64 / 48e3;
            let wait = granted(block, period, 2000, SLACK_GRACE);
            assert!(wait <= Duration::from_secs_f64(period / 2.0), "{block}: {wait:?}");
            assert!(wait <= SLACK_GRACE, "{block}: {wait:?}");
        }
    }

    #[test]
    fn pieces_of_a_block_are_no_lead() {
        let mut rule = WaitRule::new(48e3, SLACK_GRACE);
        let (block, period) = (1024, Duration::from_secs_f64(1024.0 / 48e3));
        let mut now = Instant::now();
        for _ in 0..100 {
            rule.begin_block(now, block, false);
            for _ in 0..block / 32 {
                rule.continue_block(now, 32, false);
                assert_eq!(rule.block_s, block as f64 / 48e3);
            }
            now += period;
        }
        // Nothing more of this block is to come: the next piece is a block of its own.
        rule.continue_block(now, 32, false);
        assert_eq!(rule.block_s, 32.0 / 48e3);
        rule.begin_block(now + period, block, false);
        rule.continue_block(now + period, 32, false);
        let wait = rule.deadline(now + period).saturating_duration_since(now + period);
        assert!(wait <= period / 2, "{wait:?}");
    }

    #[test]
    fn in_real_time_a_reply_of_the_previous_hop_is_not_awaited() {
        let mut rule = WaitRule::new(48e3, SLACK_GRACE);
        let start = Instant::now();
        for i in 0..1000 {
            rule.begin_block(start + Duration::from_micros(10_000 * i), 480, false);
        }
        let now = start + Duration::from_micros(10_000 * 999);
        let sent = now - Duration::from_micros(10_000);
        assert!(rule.deadline(sent) <= now);
    }

    #[test]
    fn a_fast_host_may_wait_for_as_long_as_it_is_ahead() {
        // Twice real time for 4 s of audio: about 2 s ahead less the decay.
        let wait = granted(480, 0.005, 400, SLACK_GRACE);
        assert!(wait > Duration::from_millis(1700) && wait <= MAX_WAIT, "{wait:?}");
    }

    #[test]
    fn a_stall_does_not_pass_for_a_lead() {
        let mut rule = WaitRule::new(48e3, SLACK_GRACE);
        let mut now = Instant::now();
        for i in 0..400 {
            // A single callback comes 8 ms late, the others are on the host's grid.
            let late = if i == 100 { 8 } else { 0 };
            rule.begin_block(now + Duration::from_millis(late), 480, false);
            now += Duration::from_millis(10);
        }
        assert!(rule.lead_s < 0.001, "{}", rule.lead_s);
    }

    #[test]
    fn the_offline_flag_grants_two_seconds_at_once() {
        let mut rule = WaitRule::new(48e3, LOWEST_GRACE);
        let now = Instant::now();
        rule.begin_block(now, 64, true);
        assert_eq!(rule.deadline(now), now + MAX_WAIT);
    }
}
