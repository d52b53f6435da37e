//! Real-time priority for the worker thread, where the system grants it.
//!
//! The crates for it export functions of their own from every library that they are part of; a plugin shares its process
//! with others.

/// Raises the calling thread to the priority of audio work: SCHED_FIFO where the user may have it (Linux), the
/// time-constraint policy (macOS), the "Pro Audio" task (Windows). Returns whether that succeeded; without it the thread
/// works on as it is, and only a busy machine shows the difference. The thread keeps it until it ends.
pub fn promote_current_thread() -> bool {
    system::promote()
}

#[cfg(target_os = "linux")]
mod system {
    /// Above ordinary threads, below those of sound servers: what rtkit grants, too.
    const PRIORITY: libc::c_int = 10;

    pub fn promote() -> bool {
        // SAFETY: all zero bytes are a valid sched_param.
        let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
        parameters.sched_priority = PRIORITY;
        let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
        // SAFETY: the thread is the calling one, and the parameters are read during the call only.
        unsafe { libc::pthread_setschedparam(libc::pthread_self(), policy, &parameters) == 0 }
    }
}

#[cfg(target_os = "macos")]
mod system {
    use mach2::kern_return::KERN_SUCCESS;
    use mach2::mach_time::{mach_timebase_info, mach_timebase_info_data_t};
    use mach2::thread_policy::{
        THREAD_TIME_CONSTRAINT_POLICY, THREAD_TIME_CONSTRAINT_POLICY_COUNT, thread_policy_set,
        thread_time_constraint_policy_data_t,
    };
    use tacet_model::{HOP, SAMPLE_RATE_HZ};

    pub fn promote() -> bool {
        let mut base = mach_timebase_info_data_t { numer: 0, denom: 0 };
        // SAFETY: it writes to `base`, which lives.
        let status = unsafe { mach_timebase_info(&mut base) };
        if status != KERN_SUCCESS || base.numer == 0 {
            return false;
        }
        let hop_ns = HOP as u64 * 1_000_000_000 / u64::from(SAMPLE_RATE_HZ);
        let hop_ticks = (hop_ns * u64::from(base.denom) / u64::from(base.numer)) as u32;
        let mut policy = thread_time_constraint_policy_data_t {
            period: hop_ticks,
            // Half of the hop at most, and done when the next one begins.
            computation: hop_ticks / 2,
            constraint: hop_ticks,
            preemptible: 1,
        };
        // SAFETY: the thread is the calling one; the policy has as many integers as its kind demands, and is read during
        // the call only.
        let status = unsafe {
            thread_policy_set(
                libc::pthread_mach_thread_np(libc::pthread_self()),
                THREAD_TIME_CONSTRAINT_POLICY,
                (&raw mut policy).cast(),
                THREAD_TIME_CONSTRAINT_POLICY_COUNT,
            )
        };
        status == KERN_SUCCESS
    }
}

#[cfg(windows)]
mod system {
    use windows_sys::Win32::System::Threading::AvSetMmThreadCharacteristicsW;
    use windows_sys::core::w;

    pub fn promote() -> bool {
        let mut task = 0;
        // SAFETY: the name is a terminated string, and it writes to `task`, which lives.
        !unsafe { AvSetMmThreadCharacteristicsW(w!("Pro Audio"), &mut task) }.is_null()
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod system {
    pub fn promote() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread without the right to it works on.
    #[test]
    fn a_promoted_thread_works_and_others_stay_as_they_are() {
        let promoted = std::thread::spawn(promote_current_thread).join().unwrap();
        #[cfg(target_os = "linux")]
        {
            let policy = || {
                // SAFETY: it reads the calling thread's policy.
                unsafe { libc::sched_getscheduler(0) & !libc::SCHED_RESET_ON_FORK }
            };
            assert_eq!(policy(), libc::SCHED_OTHER);
            let raised = std::thread::spawn(move || promote_current_thread().then(policy)).join().unwrap();
            assert_eq!(raised, promoted.then_some(libc::SCHED_FIFO));
        }
        // Everybody may have macOS'; Windows' is a service that may be off.
        assert!(promoted || !cfg!(target_os = "macos"));
    }
}
