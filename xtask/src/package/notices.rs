//! The licences of what is compiled in: every crate of the platform's programs and plugins, with the texts that it ships,
//! or its licences' own where it ships none.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use spdx::Expression;

use crate::bundle::layout::System;
use crate::bundle::packages;
use crate::shell;
use crate::workspace::Workspace;

/// Compiled-in works that are no crates.
const BEYOND: &str = "\
The Rust standard library: MIT OR Apache-2.0, copyright by its contributors.
The network's weights, DeepFilterNet3 and DeepFilterNet3_ll: published by DeepFilterNet (https://github.com/Rikorose/DeepFilterNet), \
which licenses its code under MIT OR Apache-2.0 and does not mention the weights separately.
";
/// Licences of the works in [`BEYOND`].
const BEYOND_LICENCE: &str = "MIT OR Apache-2.0";

/// Beginnings of the names of files with licences, in capitals.
const FILES: [&str; 8] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE", "OFL", "UFL"];
/// Deepest folder of a crate in which they are looked for: fonts and foreign sources have their own.
const MAX_DEPTH: usize = 3;

/// A crate, as cargo describes it.
#[derive(Clone, Debug, Deserialize)]
struct Crate {
    name: String,
    version: String,
    license: Option<String>,
    license_file: Option<PathBuf>,
    repository: Option<String>,
    manifest_path: PathBuf,
    /// `None` for the workspace's own.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
}

/// The notices of a platform's binaries; `target` is rustc's name of it, or none for this machine's.
///
/// # Errors
/// cargo cannot be run, or a crate has no known licence.
pub(crate) fn text(workspace: &Workspace, system: System, target: Option<&str>) -> Result<String> {
    compose(&crates(workspace, system, target)?)
}

/// The crates that are compiled in, without those of the workspace, of build scripts and of macros.
fn crates(workspace: &Workspace, system: System, target: Option<&str>) -> Result<Vec<Crate>> {
    let mut tree = workspace.cargo("tree --locked --edges normal,no-proc-macro --prefix none --format {p}");
    tree.args(packages(system)).args(target.iter().flat_map(|target| ["--target", target]));
    let tree = shell::output(&mut tree)?;
    let used: HashSet<(&str, &str)> = tree.lines().filter_map(name_and_version).collect();
    let metadata = shell::output(&mut workspace.cargo("metadata --locked --format-version 1"))?;
    let metadata: Metadata =
        serde_json::from_str(&metadata).context("cargo metadata gave something unexpected")?;
    let mut crates = metadata.packages;
    crates.retain(|one| one.source.is_some() && used.contains(&(one.name.as_str(), one.version.as_str())));
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(crates)
}

/// Of a line of cargo's tree: `serde v1.0.0 (*)`.
fn name_and_version(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    Some((words.next()?, words.next()?.strip_prefix('v')?))
}

/// A table of all crates, then every text once, with the crates that it belongs to.
fn compose(crates: &[Crate]) -> Result<String> {
    // By the text without its line breaks, which differ.
    let mut texts: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    let mut add = |text: String, whose: &str| {
        let key = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let of = &mut texts.entry(key).or_insert_with(|| (text, Vec::new())).1;
        if of.last().is_none_or(|last| last != whose) {
            of.push(whose.to_owned());
        }
    };
    let mut notices = format!("Compiled into Tacet's programs and plugins.\n\n{BEYOND}\n");
    for one in crates {
        let whose = format!("{} {}", one.name, one.version);
        let licence = one.license.as_deref().unwrap_or("see its text below");
        let source = one.repository.clone().unwrap_or_else(|| format!("the crate {}", one.name));
        let _ = writeln!(notices, "{whose}: {licence}; source: {source}");
        for text in shipped(one)?.into_iter().chain(standard(one)?) {
            add(text, &whose);
        }
    }
    for text in texts_of(BEYOND_LICENCE)? {
        add(text, "the Rust standard library");
    }
    let mut texts: Vec<_> = texts.into_values().collect();
    texts.sort_by(|a, b| a.1.cmp(&b.1));
    for (text, whose) in texts {
        let _ = write!(notices, "\n{:=<100}\n{}\n\n{}\n", "", whose.join(", "), text.trim_end());
    }
    Ok(notices)
}

/// The texts that a crate ships.
fn shipped(one: &Crate) -> Result<Vec<String>> {
    let dir = one.manifest_path.parent().context("a manifest without a folder")?;
    let mut paths: Vec<PathBuf> = one.license_file.iter().map(|file| dir.join(file)).collect();
    search(dir, MAX_DEPTH, &mut paths)?;
    paths.sort();
    paths.dedup();
    let texts = paths.iter().filter_map(|path| fs::read(path).ok());
    Ok(texts.map(|bytes| String::from_utf8_lossy(&bytes).replace('\r', "")).collect())
}

fn search(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if depth > 0 {
                search(&path, depth - 1, found)?;
            }
        } else if is_licence(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a file holds a licence by its name, and is no program about them.
fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    let is_text = path
        .extension()
        .is_none_or(|extension| !["rs", "py", "toml", "json", "h"].iter().any(|code| extension == *code));
    is_text && FILES.iter().any(|beginning| name.starts_with(beginning))
}

/// The standard texts of a crate's licences, where it ships none itself.
fn standard(one: &Crate) -> Result<Vec<String>> {
    if !shipped(one)?.is_empty() {
        return Ok(Vec::new());
    }
    let licence = one.license.as_deref().with_context(|| format!("{} has no licence", one.name))?;
    texts_of(licence).with_context(|| format!("the licence of {}", one.name))
}

/// The texts of an expression's licences and exceptions.
fn texts_of(licence: &str) -> Result<Vec<String>> {
    // Older crates write a slash.
    let expression = Expression::parse(&licence.replace('/', " OR "))?;
    let mut texts = Vec::new();
    for required in expression.requirements() {
        let id = required.req.license.id().with_context(|| format!("`{}` is unknown", required.req))?;
        texts.push(id.text().to_owned());
        let exception = required.req.addition.as_ref().and_then(spdx::AdditionItem::id);
        texts.extend(exception.map(|exception| exception.text().to_owned()));
    }
    ensure!(!texts.is_empty(), "`{licence}` names no licence");
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_is_named_with_its_licence_and_a_text() {
        let workspace = Workspace::find().unwrap();
        let crates = crates(&workspace, System::Linux, Some("x86_64-unknown-linux-gnu")).unwrap();
        let names: Vec<_> = crates.iter().map(|one| one.name.as_str()).collect();
        // Of the plugin, the window on the microphone, the program and a font.
        assert!(["egui", "cpal", "symphonia", "ttf-inter"].iter().all(|name| names.contains(name)));
        // Neither the project's own, nor what only tests, builds or other systems use.
        assert!(!["tacet-core", "proptest", "clap_derive", "objc2"].iter().any(|name| names.contains(name)));
        let text = compose(&crates).unwrap();
        for one in &crates {
            let whose = format!("{} {}", one.name, one.version);
            // In the table, and above a text.
            assert!(text.matches(&whose).count() >= 2, "{whose}");
        }
        for licence in
            ["SIL OPEN FONT LICENSE", "Mozilla Public License", "Apache License", "Permission is hereby"]
        {
            assert!(text.contains(licence), "{licence}");
        }
    }

    #[test]
    fn a_crate_without_a_text_gets_its_licences_own() {
        let dir = tempfile::tempdir().unwrap();
        let mut one = Crate {
            name: "a".to_owned(),
            version: "1.0.0".to_owned(),
            license: Some("MIT/Apache-2.0 WITH LLVM-exception".to_owned()),
            license_file: None,
            repository: None,
            manifest_path: dir.path().join("Cargo.toml"),
            source: Some("registry".to_owned()),
        };
        let text = compose(std::slice::from_ref(&one)).unwrap();
        assert!(text.contains("LLVM Exceptions") && text.contains("a 1.0.0: MIT/Apache-2.0"), "{text}");
        fs::create_dir(dir.path().join("fonts")).unwrap();
        fs::write(dir.path().join("fonts/OFL.txt"), "An own text").unwrap();
        fs::write(dir.path().join("license.rs"), "code").unwrap();
        assert_eq!(shipped(&one).unwrap(), ["An own text"]);
        assert!(standard(&one).unwrap().is_empty());
        fs::remove_file(dir.path().join("fonts/OFL.txt")).unwrap();
        for unknown in [None, Some("Own-Licence".to_owned())] {
            one.license = unknown;
            assert!(standard(&one).is_err());
        }
    }
}
