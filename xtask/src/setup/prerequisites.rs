//! Prerequisites of a build: installed where permitted, named otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Debian packages, grouped by what fails without them.
struct Packages {
    names: &'static [&'static str],
    /// Whether only the tests need them.
    tests_only: bool,
}

/// Packages of the libraries that a window opens when it does.
pub(crate) const WINDOW_LIBRARIES: [&str; 5] =
    ["libx11-6", "libx11-xcb1", "libxcb1", "libxcursor1", "libgl1"];

/// Names as in Debian 12 and Ubuntu 22.04 and later.
const DEBIAN: [Packages; 8] = [
    // The build: the standalone's audio backends, found through pkg-config.
    Packages { names: &["gcc", "pkg-config", "libasound2-dev", "libjack-jackd2-dev"], tests_only: false },
    // The panel and the standalone's window, opened when they run.
    Packages { names: &WINDOW_LIBRARIES, tests_only: false },
    // Panel snapshots are rendered in software; the torch backend has a C++ shim; comparisons run in Python environments.
    Packages { names: &["mesa-vulkan-drivers", "g++", "python3-venv"], tests_only: true },
    // The plugin's window is opened on an X server without a screen, drawn in software; instructions are counted.
    Packages { names: &["xvfb", "libgl1-mesa-dri", "valgrind"], tests_only: true },
    // A screen reader reads the plugin's window.
    Packages { names: &["dbus-daemon", "at-spi2-core"], tests_only: true },
    // Write the recordings of every kind that the command line reads.
    Packages { names: &["ffmpeg", "sox", "lame", "flac", "opus-tools", "vorbis-tools"], tests_only: true },
    // Workstations that load the plugin; a sound server for one of them, and hands.
    Packages { names: &["ardour", "qtractor", "jackd2", "xdotool"], tests_only: true },
    // Programs that load the LADSPA and LV2 plugins, and a sound server of the tests' own.
    Packages {
        names: &[
            "ladspa-sdk",
            "lilv-utils",
            "jalv",
            "lv2-dev",
            "sordi",
            "ffmpeg",
            "sox",
            "dbus-daemon",
            "pipewire",
            "pipewire-bin",
            "pipewire-jack",
            "libspa-0.2-modules",
            "wireplumber",
        ],
        tests_only: true,
    },
];

/// Fetches the model; asked for only where no Python has pip, since it need not be Debian's.
const DEBIAN_PIP: [&str; 2] = ["python3", "python3-pip"];

/// Installs what is missing with apt-get, or says how.
///
/// # Errors
/// Something is missing and cannot be installed from here; the text holds the exact command or the names.
pub(crate) fn provide(tests: bool) -> Result<()> {
    if !cfg!(target_os = "linux") {
        // Rust needs the system's linker there, so the compilers are here if this program runs; Python is checked
        // when something is to be fetched.
        return Ok(());
    }
    if is_debian() { provide_debian(tests) } else { check_other_linux() }
}

/// Whether Debian's packages can be asked for: Debian, Ubuntu and what descends from them.
pub(crate) fn is_debian() -> bool {
    shell::succeeds("dpkg-query", &["--version"])
}

fn provide_debian(tests: bool) -> Result<()> {
    let mut wanted: Vec<&str> = DEBIAN
        .iter()
        .filter(|packages| tests || !packages.tests_only)
        .flat_map(|packages| packages.names.iter().copied())
        .collect();
    if super::python::Python::find().is_err() {
        wanted.extend(DEBIAN_PIP);
    }
    provide_packages(&wanted)
}

/// Installs those of Debian's packages that are missing, or says how.
///
/// # Errors
/// As [`provide`].
pub(crate) fn provide_packages(wanted: &[&str]) -> Result<()> {
    let missing = missing(wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    let Some(prefix) = privilege() else {
        let install = typed_install(&missing);
        bail!("these Debian packages are missing, and installing them needs root. Run:\n\n    {install}\n");
    };
    // A fresh machine or container has no package lists, or old ones.
    let mut update = apt(prefix, &["update"]);
    shell::run_quietly("Updating Debian's package lists", &mut update)?;
    let message = format!("Installing {}", missing.join(" "));
    let mut install = apt(prefix, &install_arguments(&missing));
    shell::run_quietly(&message, &mut install).context("Debian packages could not be installed")?;
    Ok(())
}

/// Unpacks packages of another architecture into a folder of their own, with apt's lists for them in `dir`: the system's
/// own lists and packages stay as they are.
///
/// # Errors
/// apt cannot fetch them.
pub(crate) fn provide_foreign(architecture: &str, packages: &[&str], dir: &Path) -> Result<PathBuf> {
    let root = dir.join("libraries");
    if root.is_dir() {
        return Ok(root);
    }
    let state = dir.join("apt");
    for folder in ["lists/partial", "cache/archives/partial", "debs"] {
        fs::create_dir_all(state.join(folder))?;
    }
    fs::write(state.join("status"), "")?;
    let get = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-o", &format!("APT::Architecture={architecture}"), "-o", "APT::Architectures="]);
        for (name, path) in
            [("Dir::State::lists", "lists"), ("Dir::State::status", "status"), ("Dir::Cache", "cache")]
        {
            command.args(["-o", &format!("{name}={}", state.join(path).display())]);
        }
        command.args(["-o", "APT::Sandbox::User=root"]).args(words).current_dir(state.join("debs"));
        command
    };
    shell::run_quietly(&format!("Reading Debian's lists for {architecture}"), &mut get(&["update"]))?;
    shell::run_quietly("Fetching libraries", &mut get(&[&["download"], packages].concat()))?;
    let unpacked = tempfile::tempdir_in(dir)?;
    for deb in fs::read_dir(state.join("debs"))? {
        shell::run(Command::new("dpkg-deb").arg("-x").arg(deb?.path()).arg(unpacked.path()))?;
    }
    fs::rename(unpacked.keep(), &root)?;
    Ok(root)
}

/// The wanted packages that dpkg does not report as installed.
fn missing<'a>(wanted: &[&'a str]) -> Result<Vec<&'a str>> {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\\n"])
        .args(wanted)
        .output()
        .context("dpkg-query could not be run")?;
    // It fails if it does not know one of them; what it does know is on standard output all the same.
    Ok(not_installed(wanted, &String::from_utf8_lossy(&query.stdout)))
}

fn not_installed<'a>(wanted: &[&'a str], report: &str) -> Vec<&'a str> {
    let installed: Vec<&str> = report.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    wanted.iter().copied().filter(|name| !installed.contains(name)).collect()
}

/// How to become root without being asked for a password: nothing to do, or sudo.
fn privilege() -> Option<&'static [&'static str]> {
    if is_root() {
        Some(&[])
    } else if shell::succeeds("sudo", &["--non-interactive", "true"]) {
        Some(&["sudo", "--non-interactive"])
    } else {
        None
    }
}

/// Whether this user may do everything.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Command {
    let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

fn install_arguments<'a>(missing: &[&'a str]) -> Vec<&'a str> {
    [&["install", "--yes", "--no-install-recommends"], missing].concat()
}

fn typed_install(missing: &[&str]) -> String {
    format!("sudo apt-get update && sudo apt-get {}", install_arguments(missing).join(" "))
}

/// Other distributions name their packages in their own ways: we know what is missing, not how to get it.
fn check_other_linux() -> Result<()> {
    if !shell::succeeds("pkg-config", &["--version"]) {
        bail!("pkg-config is missing: install it with your distribution's package manager");
    }
    for (module, name) in [("alsa", "ALSA"), ("jack", "JACK (or PipeWire's JACK)")] {
        if !shell::succeeds("pkg-config", &["--exists", module]) {
            bail!(
                "the development files of {name} are missing (pkg-config does not find `{module}`): \
                 install them with your distribution's package manager"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let report = "gcc installed\npkg-config config-files\nlibx11-6 installed\n";
        assert_eq!(
            not_installed(&["gcc", "pkg-config", "libx11-6", "libgl1"], report),
            ["pkg-config", "libgl1"]
        );
    }

    #[test]
    fn the_printed_command_is_what_would_be_run() {
        let install = typed_install(&["a", "b"]);
        assert_eq!(install, "sudo apt-get update && sudo apt-get install --yes --no-install-recommends a b");
        let run = apt(&["sudo", "--non-interactive"], &install_arguments(&["a", "b"]));
        assert!(shell::typed(&run).ends_with("apt-get install --yes --no-install-recommends a b"));
        assert_eq!(apt(&[], &["update"]).get_program(), "env");
    }

    #[test]
    fn test_packages_are_wanted_only_for_tests() {
        assert!(DEBIAN.iter().any(|packages| packages.tests_only));
        assert!(
            DEBIAN.iter().any(|packages| packages.names.contains(&"libasound2-dev") && !packages.tests_only)
        );
    }
}
