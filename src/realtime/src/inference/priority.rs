//! Real-time priority for the worker thread, where the system grants it.

use tacet_model::{HOP, SAMPLE_RATE_HZ};

/// Raises the calling thread to the priority of audio work: SCHED_FIFO where the user may have it (Linux), the
/// time-constraint policy (macOS), the "Pro Audio" task (Windows). Returns whether that succeeded; without it the thread
/// works on as it is, and only a busy machine shows the difference.
pub fn promote_current_thread() -> bool {
    // The handle could give the priority back; the thread keeps it until it ends.
    audio_thread_priority::promote_current_thread_to_real_time(HOP as u32, SAMPLE_RATE_HZ).is_ok()
}
