//! Windows' consoles: tests run in a console of their own, with Ctrl-C, or without one, as after a double-click.
//!
//! A console belongs to a process, and tests run side by side: such a test starts itself anew.

use std::os::windows::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Set in a test that was started anew.
const STARTED: &str = "TACET_TEST_CONSOLE";
/// Longest wait for the end of a program before it counts as hanging.
const HANG: Duration = Duration::from_secs(60);

/// The console of a test.
#[derive(Clone, Copy)]
pub enum Console {
    Own,
    None,
}

impl Console {
    /// Flags of the process: `CREATE_NEW_CONSOLE`, `DETACHED_PROCESS`.
    fn flags(self) -> u32 {
        match self {
            Self::Own => 0x10,
            Self::None => 0x8,
        }
    }
}

#[link(name = "kernel32")]
unsafe extern "system" {
    fn AttachConsole(process: u32) -> i32;
    fn FreeConsole() -> i32;
    fn GenerateConsoleCtrlEvent(event: u32, group: u32) -> i32;
    fn SetConsoleCtrlHandler(handler: *const std::ffi::c_void, add: i32) -> i32;
}

/// Runs `body` in a process of its own, in which the test called `name` comes here again.
pub fn run_in(console: Console, name: &str, body: impl FnOnce()) {
    if std::env::var_os(STARTED).is_some() {
        return body();
    }
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name, "--nocapture"])
        .env(STARTED, "1")
        .creation_flags(console.flags())
        .stdin(Stdio::null())
        .output()
        .expect("run this test");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Types Ctrl-C in this process's console; this process itself ignores it from now on, as do programs that it starts later.
pub fn interrupt() {
    // SAFETY: no pointer but the null that means Ctrl-C itself; group 0 is every process of this console.
    let (ignored, sent) =
        unsafe { (SetConsoleCtrlHandler(std::ptr::null(), 1), GenerateConsoleCtrlEvent(0, 0)) };
    assert!(ignored != 0 && sent != 0, "{}", std::io::Error::last_os_error());
}

/// Whether a program that this process has started has a console; this process has none.
pub fn has_console(program: &Child) -> bool {
    // SAFETY: no pointer is passed; a console that was joined is left again.
    unsafe { AttachConsole(program.id()) != 0 && FreeConsole() != 0 }
}

/// Waits for a program's end.
pub fn end_of(program: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = program.try_wait().expect("our own program") {
            return status;
        }
        if start.elapsed() > HANG {
            let _ = program.kill();
            panic!("the program does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
