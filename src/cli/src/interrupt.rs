//! Ctrl-C and its kin: SIGINT, SIGTERM and SIGHUP.

/// Has `handler` called when the process is interrupted. A signal that it was started to ignore (by `nohup`, or by a shell
/// in the background) stays ignored.
///
/// # Errors
/// The system refuses a handler, or there is one.
pub fn on_interrupt(handler: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    #[cfg(unix)]
    let ignored = unix::ignored();
    ctrlc::set_handler(handler)?;
    #[cfg(unix)]
    unix::ignore(&ignored);
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::mem::MaybeUninit;
    use std::ptr;

    use libc::c_int;

    /// The signals for which there is a handler.
    const SIGNALS: [c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

    /// Signals among them that are ignored.
    pub fn ignored() -> Vec<c_int> {
        let is_ignored = |&signal: &c_int| {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: nothing is set, and `action` is there to be written to; zeros are an action, if nothing was written.
            let action = unsafe {
                libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
                action.assume_init()
            };
            action.sa_sigaction == libc::SIG_IGN
        };
        SIGNALS.into_iter().filter(is_ignored).collect()
    }

    /// Ignores these signals.
    pub fn ignore(signals: &[c_int]) {
        for &signal in signals {
            // SAFETY: a signal that is ignored calls nothing.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    }
}
