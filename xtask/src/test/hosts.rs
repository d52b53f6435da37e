//! The built plugin in third-party hosts: pedalboard and dawdreamer load the VST3, Ardour exports a session with it,
//! qtractor plays, exports and restores one with the CLAP, ffmpeg, sox and PipeWire run the LADSPA plugins, lilv runs the
//! LV2, a sound server the virtual microphone, and JACK the standalone.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::TEST;
use crate::bundle;
use crate::setup::prerequisites;
use crate::shell;
use crate::venv::Venv;
use crate::workspace::Workspace;

/// Whether the Python hosts have wheels and the workstations are Debian's.
const IS_OFFERED: bool = cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));

/// Bundles the library that the tests have built, and loads it everywhere.
///
/// # Errors
/// Something cannot be built or installed, or a host finds something wrong.
pub fn check(workspace: &Workspace) -> Result<()> {
    if !IS_OFFERED {
        println!("skipped: pedalboard, dawdreamer and the workstations are tried on Linux on x86-64 only");
        return Ok(());
    }
    let library = library(workspace)?;
    let built = library.parent().context("the library has no directory")?;
    let bundles = bundle::assemble_plugins(workspace, built, &workspace.target.join("hosts"))?;
    let of = |extension: &str| {
        let found = bundles.iter().find(|path| path.extension().is_some_and(|own| own == extension));
        found.with_context(|| format!("no {extension} was bundled"))
    };
    // The tests of the programs build them.
    let tacet = workspace.target.join("debug/tacet");
    let live = workspace.target.join("debug/tacet-live");
    let scripts = workspace.root.join("tests/hosts");
    let venv = Venv::provide(workspace, &scripts)?;
    for (script, products) in [
        ("vst3.py", &[of("vst3")?][..]),
        ("ardour.py", &[of("vst3")?]),
        ("qtractor.py", &[of("clap")?, &tacet]),
        ("ladspa.py", &[of("so")?, &tacet]),
        ("lv2.py", &[of("lv2")?, &tacet]),
        ("mic.py", &[&tacet]),
        ("live.py", &[&live]),
    ] {
        let mut python = venv.python();
        // If the workstations are available, they are not left out.
        if prerequisites::is_debian() {
            python.env("TACET_REQUIRE_DAWS", "1");
        }
        shell::run(python.arg("-u").arg(scripts.join(script)).args(products))?;
    }
    Ok(())
}

/// A message of cargo about a built artifact.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The plugin's library among the tests' products. Built already, it costs nothing.
fn library(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo(&format!("{TEST} --no-run --message-format json"));
    let messages = shell::run_quietly("Finding the library of the tests", &mut cargo)?;
    let name = format!("{}tacet{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = find(&messages, Path::new(&name)).context("cargo names no library of the plugin")?;
    ensure!(library.is_file(), "{} is not there", library.display());
    Ok(library)
}

fn find(messages: &str, name: &Path) -> Option<PathBuf> {
    let artefacts = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    artefacts
        .filter(|message| message.reason == "compiler-artifact")
        .flat_map(|message| message.filenames)
        .find(|path| path.file_name() == Some(name.as_os_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_among_cargos_messages() {
        let messages = r#"
            {"reason":"build-script-executed","package_id":"a"}
            {"reason":"compiler-artifact","target":{"name":"tacet"},"filenames":["/t/debug/deps/tacet-12","/t/x/libother.so"]}
            {"reason":"compiler-artifact","target":{"name":"tacet"},"filenames":["/t/debug/deps/libtacet.so","/t/libtacet.rlib"]}
            not JSON"#;
        assert_eq!(find(messages, Path::new("libtacet.so")), Some("/t/debug/deps/libtacet.so".into()));
        assert_eq!(find(messages, Path::new("libtacet.dylib")), None);
    }
}
