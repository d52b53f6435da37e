//! Forbidden dependencies of crates, direct or transitive, on any platform. Build-time dependencies do not
//! count.

use anyhow::Result;

use super::Finding;
use crate::shell;
use crate::workspace::Workspace;

/// The plugin framework and the panel's toolkit.
const FRAMEWORK: [&str; 3] = ["nice-plug", "nice-plug-egui", "egui"];
/// Audio devices.
const AUDIO_DEVICES: [&str; 3] = ["cpal", "jack", "alsa"];
/// Crates of terminal programs and file readers.
const PROGRAMS: [&str; 5] = ["symphonia", "clap", "png", "ab_glyph", "ctrlc"];
/// Errors of programs: libraries have types of their own. The framework depends on it.
const REFUSED_DIRECTLY: [&str; 1] = ["anyhow"];

/// Forbidden dependencies of a crate.
struct Ban {
    package: &'static str,
    /// The package's manifest, relative to the root.
    manifest: &'static str,
    refused: &'static [&'static [&'static str]],
    /// Whether errors of programs are refused as well.
    is_library: bool,
}

const BANS: [Ban; 7] = [
    Ban { package: "tacet", manifest: "Cargo.toml", refused: &[&PROGRAMS, &AUDIO_DEVICES], is_library: true },
    Ban {
        package: "tacet-cli",
        manifest: "src/cli/Cargo.toml",
        refused: &[&FRAMEWORK, &AUDIO_DEVICES],
        is_library: false,
    },
    Ban {
        package: "tacet-realtime",
        manifest: "src/realtime/Cargo.toml",
        refused: &[&FRAMEWORK, &AUDIO_DEVICES, &PROGRAMS],
        is_library: true,
    },
    Ban {
        package: "tacet-ladspa",
        manifest: "src/ladspa/Cargo.toml",
        refused: &[&FRAMEWORK, &AUDIO_DEVICES, &PROGRAMS],
        is_library: true,
    },
    Ban {
        package: "tacet-core",
        manifest: "src/core/Cargo.toml",
        refused: &[&FRAMEWORK, &AUDIO_DEVICES, &PROGRAMS, &["dirs", "libloading", "parking_lot"]],
        is_library: true,
    },
    Ban {
        package: "tacet-model",
        manifest: "src/model/Cargo.toml",
        refused: &[&FRAMEWORK, &AUDIO_DEVICES, &PROGRAMS, &["dirs", "libloading", "parking_lot"]],
        is_library: true,
    },
    Ban {
        package: "tacet-torch-pack",
        manifest: "src/torch/pack/Cargo.toml",
        refused: &[&FRAMEWORK, &AUDIO_DEVICES, &PROGRAMS],
        is_library: true,
    },
];

/// Asks cargo for each crate's tree.
///
/// # Errors
/// cargo cannot be run, or does not know a crate.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for ban in &BANS {
        let mut tree =
            workspace.cargo("tree --locked --target all --edges normal,no-proc-macro --prefix depth");
        let tree = shell::output(tree.args(["--package", ban.package, "--format", " {p}"]))?;
        findings.extend(objections(ban, &tree));
    }
    Ok(findings)
}

/// Findings about a tree, a line per crate: its depth, its name, its version.
fn objections(ban: &Ban, tree: &str) -> Vec<Finding> {
    let is_refused = |depth: &str, name: &str| {
        (ban.is_library && depth == "1" && REFUSED_DIRECTLY.contains(&name))
            || ban.refused.iter().any(|group| group.contains(&name))
    };
    let words = |line| str::split_whitespace(line).collect::<Vec<_>>();
    let mut found: Vec<&str> = tree
        .lines()
        .filter_map(|line| match words(line)[..] {
            [depth, name, ..] if is_refused(depth, name) => Some(name),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    let finding = |name| Finding {
        path: ban.manifest.to_owned(),
        line: None,
        text: format!("{} depends on {name}: `cargo tree -p {} -i {name}`", ban.package, ban.package),
    };
    found.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_crates_are_named_once() {
        let tree = [
            "0 tacet v0.1.0 (somewhere)",
            "1 nice v1.0.0",
            "2 clap v4.6.0",
            "3 clap_builder v4.6.0",
            "1 clap v4.6.0 (*)",
        ];
        let findings = objections(&BANS[0], &tree.join("\n"));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("tacet depends on clap:"), "{}", findings[0]);
        assert_eq!(objections(&BANS[0], "0 tacet v0.1.0\n1 serde v1.0.0\n"), []);
    }

    #[test]
    fn errors_of_programs_are_refused_only_directly() {
        assert_eq!(objections(&BANS[0], "0 tacet v0.1.0\n1 nice v1.0.0\n2 anyhow v1.0.0\n"), []);
        assert_eq!(objections(&BANS[0], "0 tacet v0.1.0\n1 anyhow v1.0.0\n").len(), 1);
    }
}
