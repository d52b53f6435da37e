//! `tacet-live`: its list of devices, and its start, service and end by a signal.
#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

#[path = "../support/screen_reader.rs"]
mod desktop;
mod screen_reader;

/// How long a start or an end may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that runs the program.
fn tacet_live() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tacet-live"));
    let listen = || {
        for signal in [libc::SIGINT, libc::SIGTERM] {
            // SAFETY: the default action calls nothing.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // Whoever runs the tests may ignore them, and so would the program.
    // SAFETY: `signal` may be called between fork and exec.
    unsafe { command.pre_exec(listen) };
    // Its settings are not the user's.
    command.env("TACET_DATA_DIR", std::env::temp_dir().join(format!("tacet-live-{}", std::process::id())));
    command
}

/// Standard error of a run.
fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A command that sees no audio devices and no server, whatever the machine has.
fn deaf(arguments: &[&str]) -> Output {
    tacet_live()
        .args(arguments)
        .env("ALSA_CONFIG_PATH", "/dev/null")
        .env("JACK_DEFAULT_SERVER", "tacet-has-none")
        .env("PIPEWIRE_REMOTE", "tacet-has-none")
        .output()
        .expect("run tacet-live")
}

#[test]
fn devices_are_listed_where_there_are_none_too() {
    let output = deaf(&["--list"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("JACK: no server runs") && text.contains("ALSA\n  inputs:"), "{text}");
}

#[test]
fn without_devices_it_refuses_and_names_the_next_step() {
    for (arguments, says) in [
        (&["--backend", "jack"][..], "no JACK server runs"),
        (&["--backend", "system"], "connect a microphone"),
        (&["--backend", "auto"], "connect a microphone"),
    ] {
        let output = deaf(arguments);
        assert_ne!(output.status.code(), Some(0));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
}

/// A configuration of ALSA with `null`, as every machine has it, and two PCMs of one card with one description.
const TWO_OF_A_NAME: &str = r#"
pcm.null { type null hint { show on description "Discard all samples" } }
pcm.first { type null hint { show on description "The card" } }
pcm.second { type null hint { show on description "The card" } }
"#;

#[test]
fn null_is_listed_last_and_two_of_a_name_are_distinguished() {
    let mut config = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut config, TWO_OF_A_NAME.as_bytes()).expect("write");
    let output = tacet_live()
        .args(["--list", "--backend", "system"])
        .env("ALSA_CONFIG_PATH", config.path())
        .output()
        .expect("run tacet-live");
    let text = String::from_utf8_lossy(&output.stdout);
    let listed = "\n  * The card [first]\n    The card [second]\n    Discard all samples\n";
    assert_eq!(text.matches(listed).count(), 2, "{text}{}", stderr(&output));
}

/// A process that ends with the test.
struct Process(Child);

impl Process {
    /// Whether it has ended.
    fn is_over(&mut self) -> bool {
        self.0.try_wait().expect("ask").is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A screen in software.
struct Screen {
    _server: Process,
    display: String,
}

impl Screen {
    /// Starts one; none where there is no Xvfb.
    fn start() -> Option<Self> {
        let server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut server = Process(server.ok()?);
        let mut number = String::new();
        BufReader::new(server.0.stdout.take()?).read_line(&mut number).ok()?;
        Some(Self { _server: server, display: format!(":{}", number.trim()) })
    }
}

/// Whether a thread of the process serves the network.
fn serves(process: &Process) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.0.id())).into_iter().flatten().flatten();
    // The system keeps 15 characters of a thread's name.
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .any(|name| name.starts_with("tacet native"))
}

/// Opens a window, in an environment with these variables.
fn open(screen: &Screen, variables: &[(&str, &OsStr)]) -> Process {
    let mut live = tacet_live();
    live.args(["--backend", "dummy"])
        .env("DISPLAY", &screen.display)
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Process(live.spawn().expect("run tacet-live"))
}

/// Opens a window in an environment with these variables; it serves, stays that long, and ends by the signal.
fn opens_serves_and_ends(screen: &Screen, variables: &[(&str, &OsStr)], signal: &str, stays: Duration) {
    let mut process = open(screen, variables);
    let deadline = Instant::now() + PATIENCE;
    while !serves(&process) {
        assert!(!process.is_over(), "{variables:?}: it ended by itself");
        assert!(Instant::now() < deadline, "{variables:?}: it never served");
        std::thread::sleep(Duration::from_millis(20));
    }
    // It stays: what fails after the start, a window for example, ends it soon.
    std::thread::sleep(stays);
    assert!(!process.is_over(), "{variables:?}: it ended by itself");
    let sent = Command::new("kill").args(["-s", signal, &process.0.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill");
    while !process.is_over() {
        assert!(Instant::now() < deadline + PATIENCE, "{variables:?}: SIG{signal} does not end it");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(process.0.wait().expect("ask").code(), Some(0), "{variables:?}: SIG{signal}");
}

#[test]
fn it_opens_serves_and_ends_by_a_signal() {
    let Some(screen) = Screen::start() else {
        let absent = "there is no Xvfb (Debian, Ubuntu: apt-get install xvfb)";
        assert!(std::env::var_os("TACET_REQUIRE_DISPLAY").is_none(), "{absent}");
        println!("skipped: {absent}");
        return;
    };
    for signal in ["INT", "TERM"] {
        opens_serves_and_ends(&screen, &[], signal, Duration::from_millis(500));
    }
}

/// A program that is to outlive its terminal does.
#[test]
fn an_ignored_signal_stays_ignored() {
    let mut live = tacet_live();
    let ignore = || {
        // SAFETY: nothing is called when the signal comes.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        Ok(())
    };
    // As `nohup` starts it.
    // SAFETY: `signal` may be called between fork and exec.
    unsafe { live.pre_exec(ignore) };
    live.args(["--headless", "--backend", "dummy"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Process(live.spawn().expect("run tacet-live"));
    let mut lines = BufReader::new(process.0.stdout.take().expect("piped")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("latency"))));
    let id = process.0.id().to_string();
    let send = |signal: &str| {
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.expect("run kill").success());
    };
    send("HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert!(!process.is_over());
    send("TERM");
    assert!(process.0.wait().expect("wait").success());
}

#[test]
fn without_a_window_it_takes_options_says_how_it_does_and_remembers() {
    let data = tempfile::tempdir().expect("a folder");
    let headless = |arguments: &[&str]| {
        let mut live = tacet_live();
        live.args(["--headless", "--backend", "dummy"]).args(arguments).env("TACET_DATA_DIR", data.path());
        let mut process =
            Process(live.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("run tacet-live"));
        let mut lines = BufReader::new(process.0.stdout.take().expect("piped")).lines();
        let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("latency")));
        line.expect("a status line").expect("text")
    };
    assert!(headless(&["--latency", "lowest"]).contains("latency 40.0\u{a0}ms, 0 late"));
    // Its options are remembered.
    let file = data.path().join("standalone.json");
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("lowest")) {
        assert!(Instant::now() < deadline, "nothing was remembered");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(headless(&[]).contains("latency 40.0"));
    assert!(headless(&["--forget"]).contains("latency 50.0"));
}
