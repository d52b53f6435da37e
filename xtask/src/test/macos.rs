//! macOS on a Debian machine: the plugin and the program are linked for it and examined; nothing here runs them.
//!
//! Apple's SDK is not for download. What stands for it: the exports of libSystem, as zig ships them, and a list of what is
//! taken from each framework (`xtask/macos/symbols.txt`). A symbol that neither has is an error. The Audio Unit is left
//! out, which is C++ for Apple's headers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::Counts;
use crate::binary::Binary;
use crate::bundle::plist::MINIMUM_MACOS;
use crate::cross;
use crate::shell;
use crate::venv::Venv;
use crate::workspace::Workspace;
use tacet_model::sha256_hex;

/// Macs of today.
const TARGET: &str = "aarch64-apple-darwin";
/// Functions that hosts look for in the plugin; C's names begin with an underscore there.
const EXPORTS: [&str; 4] = ["_GetPluginFactory", "_bundleEntry", "_bundleExit", "_clap_entry"];
/// C functions of a program: what starts it, what the standard library and the plugin in it define. Rust's own are there as
/// well.
const PROGRAM_EXPORTS: [&str; 4] = ["__mh_execute_header", "_clap_entry", "_main", "_rust_eh_personality"];
/// Functions of macOS versions later than the oldest: a program has to start without it.
const NEWER: [&str; 2] = ["_AudioHardwareCreateProcessTap", "_AudioHardwareDestroyProcessTap"];
/// The folder with the stand-in for Apple's SDK.
const SDK: &str = "xtask/macos";
/// Symbols by library: its place, then what is taken from it.
const SYMBOLS: &str = "symbols.txt";
const LIBSYSTEM: &str = "/usr/lib/libSystem.B.dylib";

/// Links the plugin and the two programs in release and compares what they export and need with the lists.
///
/// # Errors
/// Something cannot be installed, built or linked, or is not as listed.
pub fn link(workspace: &Workspace, counts: &mut Counts) -> Result<()> {
    let venv = Venv::provide(workspace, &workspace.root.join(SDK))?;
    let list = workspace.root.join(SDK).join(SYMBOLS);
    let text = fs::read_to_string(&list).with_context(|| format!("{} cannot be read", list.display()))?;
    let listed = Listed::parse(&text);
    // Another list is another place: what is linked already is linked anew.
    let name = format!("sdk-{}", &sha256_hex(text.as_bytes())[..8]);
    let sdk = workspace.target.join("cross").join(TARGET).join(name);
    listed.write_sdk(&venv.package("ziglang")?.join("lib/libc/darwin/libSystem.tbd"), &sdk)?;
    cross::add_standard_library(workspace, TARGET)?;
    let mut cargo = workspace.cargo("build --locked --release --no-default-features --target");
    cargo.arg(TARGET);
    cargo.args(["--package=tacet", "--package=tacet-standalone", "--package=tacet-cli"]);
    cargo.env("SDKROOT", &sdk);
    // The linker that comes with Rust.
    cargo.env("CARGO_TARGET_AARCH64_APPLE_DARWIN_LINKER", "rust-lld");
    cargo.env(
        "CARGO_TARGET_AARCH64_APPLE_DARWIN_RUSTFLAGS",
        // What no library has is found below, all of it.
        "-Clinker-flavor=ld64.lld -Clink-arg=-undefined -Clink-arg=dynamic_lookup",
    );
    shell::run(&mut cargo)?;

    let built = workspace.target.join(TARGET).join("release");
    let mut used = BTreeMap::<String, BTreeSet<String>>::new();
    for (file, exports, install_name) in [
        ("libtacet.dylib", &EXPORTS[..], Some("@rpath/libtacet.dylib")),
        ("tacet-live", &PROGRAM_EXPORTS, None),
        ("tacet", &PROGRAM_EXPORTS, None),
    ] {
        let binary = Binary::read(&built.join(file))?;
        let result = check(&binary, exports, install_name);
        let n_symbols: usize = binary.imports.values().map(BTreeSet::len).sum();
        println!("{file}: {n_symbols} symbols from {} libraries", binary.imports.len());
        println!("test macos-link {file} ... {}", if result.is_ok() { "ok" } else { "FAILED" });
        result.with_context(|| format!("{file} is not as it should be"))?;
        counts.passed += 1;
        for (library, symbols) in binary.imports {
            used.entry(library).or_default().extend(symbols);
        }
    }
    listed.compare(&used)?;
    counts.passed += 1;
    Ok(())
}

/// Whether a binary exports what it should, runs where it should, and looks for nothing on this machine.
fn check(binary: &Binary, exports: &[&str], install_name: Option<&str>) -> Result<()> {
    // Rust's mangled names.
    let is_rusts = |name: &str| name.starts_with("__R") || name.starts_with("__ZN");
    let is_program = install_name.is_none();
    let found = binary.exports.iter().map(String::as_str);
    let stray: Vec<&str> =
        found.filter(|name| !(exports.contains(name) || is_program && is_rusts(name))).collect();
    ensure!(stray.is_empty(), "it exports {stray:?}");
    let missing = exports.iter().find(|name| !is_program && !binary.exports.contains(**name));
    ensure!(missing.is_none(), "it does not export {missing:?}");
    let needed: Vec<_> = binary
        .imports
        .values()
        .flatten()
        .filter(|name| NEWER.contains(&name.as_str()) && !binary.weak.contains(*name))
        .collect();
    ensure!(
        needed.is_empty(),
        "it does not start where there is no {needed:?}, but from macOS {MINIMUM_MACOS}"
    );
    let apple = &binary.apple;
    ensure!(apple.minimum.as_deref() == Some(MINIMUM_MACOS), "it runs from {:?}", apple.minimum);
    ensure!(apple.install_name.as_deref() == install_name, "its name is {:?}", apple.install_name);
    ensure!(apple.search_paths.is_empty(), "it looks into {:?}", apple.search_paths);
    Ok(())
}

/// The symbols of each library.
struct Listed(BTreeMap<String, BTreeSet<String>>);

impl Listed {
    fn parse(text: &str) -> Self {
        let mut listed = BTreeMap::<String, BTreeSet<String>>::new();
        let mut library = None;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.starts_with('/') {
                library = Some(listed.entry(line.to_owned()).or_default());
            } else if let Some(symbols) = &mut library {
                symbols.extend(line.split_whitespace().map(str::to_owned));
            }
        }
        Self(listed)
    }

    /// Writes a folder that linkers take for an SDK.
    fn write_sdk(&self, libsystem: &Path, sdk: &Path) -> Result<()> {
        let text = fs::read_to_string(libsystem)
            .with_context(|| format!("{} cannot be read", libsystem.display()))?;
        let write = |path: PathBuf, text: String| -> Result<()> {
            let path = sdk.join(path);
            fs::create_dir_all(path.parent().context("no folder")?)?;
            fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
        };
        // In the SDK the C library has several names.
        for name in ["System", "c", "m"] {
            write(format!("usr/lib/lib{name}.tbd").into(), plain_processor(&text))?;
        }
        for (library, symbols) in self.0.iter().filter(|(library, _)| *library != LIBSYSTEM) {
            write(stub_of(library)?, stub(library, symbols))?;
        }
        Ok(())
    }

    /// Compares with what the binaries take. libSystem's own symbols are known from its list.
    fn compare(&self, used: &BTreeMap<String, BTreeSet<String>>) -> Result<()> {
        let nothing = BTreeSet::new();
        // What was found nowhere has no library.
        let unknown = used.get("").unwrap_or(&nothing);
        ensure!(unknown.is_empty(), "no library of {SYMBOLS} has {unknown:?}");
        for library in self.0.keys().chain(used.keys()) {
            if !self.0.contains_key(library) {
                bail!("{library} is needed, which {SYMBOLS} does not list");
            }
            let (listed, used) = (&self.0[library], used.get(library).unwrap_or(&nothing));
            if library == LIBSYSTEM {
                ensure!(!used.is_empty(), "nothing is taken from {library}");
            } else {
                let idle: Vec<_> = listed.difference(used).collect();
                ensure!(idle.is_empty(), "{library} is not asked for {idle:?}: take that from {SYMBOLS}");
            }
        }
        Ok(())
    }
}

/// The list of exports with the processor that linkers know by that name: newer lists call it by its pointer
/// authentication.
fn plain_processor(text: &str) -> String {
    ["arm64e.x1-", "arm64e-"].iter().fold(text.to_owned(), |text, newer| text.replace(newer, "arm64-"))
}

/// The place of a library's stub in an SDK.
fn stub_of(library: &str) -> Result<PathBuf> {
    let path = Path::new(library);
    let name = path.file_name().and_then(|name| name.to_str()).context("a library without a name")?;
    if let Some(frameworks) = path.ancestors().find(|above| above.ends_with("Frameworks")) {
        let below = format!("{name}.framework/{name}.tbd");
        return Ok(frameworks.strip_prefix("/")?.join(below));
    }
    // libobjc.A.dylib is asked for as libobjc.
    let plain = name.split('.').next().unwrap_or(name);
    Ok(path.strip_prefix("/")?.with_file_name(format!("{plain}.tbd")))
}

/// A library's stub with these symbols, as linkers read it.
fn stub(library: &str, symbols: &BTreeSet<String>) -> String {
    let list: Vec<String> = symbols.iter().map(|symbol| format!("'{symbol}'")).collect();
    format!(
        "--- !tapi-tbd\ntbd-version: 4\ntargets: [ arm64-macos ]\ninstall-name: '{library}'\nexports:\n  - targets: \
         [ arm64-macos ]\n    symbols: [ {} ]\n...\n",
        list.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::Apple;

    const LIST: &str = "# A comment.\n/System/Library/Frameworks/AppKit.framework/Versions/C/AppKit\n_OBJC_CLASS_$_NSView _NSApp\n\n/usr/lib/libobjc.A.dylib\n";

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn stubs_lie_where_linkers_look_and_hold_what_is_listed() {
        let listed = Listed::parse(LIST);
        let dir = tempfile::tempdir().unwrap();
        let libsystem = dir.path().join("libSystem.tbd");
        fs::write(&libsystem, "targets: [ arm64e-macos, arm64e.x1-macos ]").unwrap();
        listed.write_sdk(&libsystem, &dir.path().join("sdk")).unwrap();
        let read = |path: &str| fs::read_to_string(dir.path().join("sdk").join(path)).unwrap();
        let app_kit = read("System/Library/Frameworks/AppKit.framework/AppKit.tbd");
        assert!(app_kit.contains("[ '_NSApp', '_OBJC_CLASS_$_NSView' ]"), "{app_kit}");
        assert!(
            app_kit.contains("'/System/Library/Frameworks/AppKit.framework/Versions/C/AppKit'"),
            "{app_kit}"
        );
        assert!(read("usr/lib/libobjc.tbd").contains("'/usr/lib/libobjc.A.dylib'"));
        assert_eq!(read("usr/lib/libSystem.tbd"), "targets: [ arm64-macos, arm64-macos ]");
    }

    #[test]
    fn unlisted_symbols_and_unused_entries_are_named() {
        let listed = Listed::parse("/a\n_x _y\n/usr/lib/libSystem.B.dylib");
        let used = |libraries: &[(&str, &[&str])]| {
            let used = libraries.iter().map(|(library, symbols)| ((*library).to_owned(), set(symbols)));
            listed.compare(&used.collect()).map_err(|error| error.to_string())
        };
        let libsystem = (LIBSYSTEM, &["_malloc"][..]);
        assert_eq!(used(&[("/a", &["_x", "_y"]), libsystem]), Ok(()));
        assert!(used(&[("/a", &["_x"]), libsystem]).unwrap_err().contains("_y"));
        assert!(used(&[("/a", &["_x", "_y"]), ("/b", &[]), libsystem]).unwrap_err().contains("/b is needed"));
        assert!(used(&[("/a", &["_x", "_y"])]).unwrap_err().contains("nothing is taken"));
        assert!(used(&[("/a", &["_x", "_y"]), ("", &["_z"]), libsystem]).unwrap_err().contains("_z"));
    }

    #[test]
    fn a_stray_export_a_newer_system_and_a_path_of_this_machine_are_refused() {
        let good = Binary {
            exports: set(&EXPORTS),
            apple: Apple {
                minimum: Some(MINIMUM_MACOS.into()),
                install_name: Some("@rpath/x".into()),
                search_paths: Vec::new(),
            },
            ..Binary::default()
        };
        let check = |change: &dyn Fn(&mut Binary)| {
            let mut binary = good.clone();
            change(&mut binary);
            check(&binary, &EXPORTS, Some("@rpath/x")).map_err(|error| error.to_string())
        };
        assert_eq!(check(&|_| {}), Ok(()));
        let stray = check(&|binary| binary.exports.extend(["_stray".to_owned()]));
        assert!(stray.unwrap_err().contains("_stray"));
        let missing = check(&|binary| drop(binary.exports.pop_first()));
        assert!(missing.unwrap_err().contains("does not export"));
        let newer = |binary: &mut Binary| {
            binary.imports.insert("/a".into(), set(&NEWER));
        };
        assert!(check(&newer).unwrap_err().contains(NEWER[0]));
        assert_eq!(
            check(&|binary| {
                newer(binary);
                binary.weak = set(&NEWER);
            }),
            Ok(())
        );
        assert!(check(&|binary| binary.apple.minimum = Some("14.0".into())).unwrap_err().contains("14.0"));
        assert!(
            check(&|binary| binary.apple.install_name = Some("/a/x".into())).unwrap_err().contains("/a/x")
        );
        assert!(check(&|binary| binary.apple.search_paths.push("/b".into())).unwrap_err().contains("/b"));
    }
}
