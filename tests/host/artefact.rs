//! The built file itself: what it needs from the system.
#![cfg(target_os = "linux")]

use std::process::Command;

/// Libraries that the plugin may need: the C library's own. X11 and OpenGL are opened with the panel, where they are.
const ALLOWED: [&str; 6] =
    ["libc.so.", "libm.so.", "libgcc_s.so.", "ld-linux", "libdl.so.", "libpthread.so."];

/// Output of readelf for the library, a line per entry.
fn readelf(what: &str) -> Vec<String> {
    let output = Command::new("readelf")
        .args(["--wide", what])
        .arg(super::library_under_test())
        .output()
        .expect("readelf comes with the linker that has built this");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn it_needs_the_systems_libraries_alone() {
    let lines = readelf("--dynamic");
    let needed: Vec<&str> = lines
        .iter()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    assert!(needed.iter().any(|name| name.starts_with("libc.so.")), "{needed:?}");
    for name in needed {
        assert!(ALLOWED.iter().any(|allowed| name.starts_with(allowed)), "{name} is not on every machine");
    }
}

/// Libraries of one process find each other's functions: a stray export could take the place of a host's.
#[test]
fn it_exports_what_hosts_look_for_and_nothing_else() {
    let symbols = readelf("--dyn-syms");
    // number, value, size, type, binding, visibility, section, name
    let columns = symbols.iter().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let is_export = |columns: &Vec<&str>| columns.len() == 8 && columns[4] != "LOCAL" && columns[6] != "UND";
    let mut exports: Vec<_> = columns
        .filter(is_export)
        .map(|columns| columns[7].to_owned())
        .filter(|name| name != "Name")
        .collect();
    exports.sort();
    assert_eq!(exports, ["GetPluginFactory", "ModuleEntry", "ModuleExit", "clap_entry"]);
}

#[test]
fn it_carries_no_search_path_and_no_executable_stack() {
    assert!(!readelf("--dynamic").iter().any(|line| line.contains("RPATH") || line.contains("RUNPATH")));
    let headers = readelf("--program-headers");
    let stack = headers.iter().find(|line| line.contains("GNU_STACK")).expect("a stack entry");
    // GNU_STACK offset address address sizes flags alignment: flags are RW or RWE.
    assert!(stack.split_whitespace().any(|word| word == "RW"), "{stack}");
}
