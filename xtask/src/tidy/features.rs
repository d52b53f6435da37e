//! Rules for features: what the project's commands and the programs both need has the same ones, so that a first build
//! compiles it once. Compared for Linux, as features differ between systems.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Finding;
use crate::bundle;
use crate::bundle::layout::System;
use crate::shell;
use crate::workspace::Workspace;

/// Packages that are compiled twice, because one side wants more than the other should have. Little depends on them.
const APART: [&str; 6] = [
    "log v0.4.",
    "smallvec v1.",
    // Reads sources here, and is one of the macros' there.
    "syn v2.",
    // Of macros there.
    "toml_datetime v1.",
    "toml_parser v1.",
    "winnow v1.",
];

/// Asks cargo for the features of both.
///
/// # Errors
/// cargo cannot be run.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let tree = |packages: &mut dyn Iterator<Item = &'static str>| {
        let mut tree =
            workspace.cargo("tree --locked --target x86_64-unknown-linux-gnu --edges normal,build");
        tree.args(["--prefix", "none", "--no-dedupe", "--format", "{p}|{f}"]).args(packages);
        shell::output(&mut tree)
    };
    let commands = tree(&mut ["--package", "xtask"].into_iter())?;
    let programs = tree(&mut bundle::packages(System::Linux))?;
    Ok(differences(&commands, &programs))
}

/// Findings about packages in both trees, a line per use: name, version, more; a bar; features.
fn differences(commands: &str, programs: &str) -> Vec<Finding> {
    let (commands, programs) = (features(commands), features(programs));
    let both = commands.iter().filter_map(|(package, here)| Some((package, here, programs.get(package)?)));
    let differ = both.filter(|(package, here, there)| {
        here.is_disjoint(there) && !APART.iter().any(|apart| package.starts_with(apart))
    });
    let finding = |(package, here, there): (&String, &BTreeSet<&str>, &BTreeSet<&str>)| Finding {
        path: "xtask/Cargo.toml".to_owned(),
        line: None,
        text: format!(
            "{package} has features {here:?} here and {there:?} in the programs: it is compiled twice"
        ),
    };
    differ.map(finding).collect()
}

/// The features of each package, by its name and version: several, if it is built with several.
fn features(tree: &str) -> BTreeMap<String, BTreeSet<&str>> {
    let mut features: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (package, with) in tree.lines().filter_map(|line| line.split_once('|')) {
        let package: Vec<&str> = package.split_whitespace().take(2).collect();
        features.entry(package.join(" ")).or_default().insert(with);
    }
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_both_have_the_same_features() {
        let programs = "libc v0.2.1|default,std\nserde v1.0.0|std\nserde v1.0.0|alloc,std\nlog v0.4.1|std\n";
        assert_eq!(differences("libc v0.2.1|default,std\nserde v1.0.0|std\nlog v0.4.1|\n", programs), []);
        assert_eq!(differences("hound v3.0.0|\nserde v2.0.0|\n", programs), []);
        let findings = differences("libc v0.2.1|std\nserde v1.0.0|alloc,std\n", programs);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.starts_with("libc v0.2.1 has features"), "{}", findings[0]);
    }
}
