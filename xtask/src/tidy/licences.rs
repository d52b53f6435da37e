//! Every dependency's licence is on the list in deny.toml, and none is on its list of crates that are refused, on every
//! platform. cargo-deny reads the same lists; this rule needs nothing installed.

use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use super::Finding;
use crate::shell;
use crate::workspace::Workspace;

/// The part of deny.toml that matters here.
#[derive(Deserialize)]
struct Deny {
    graph: Graph,
    licenses: Policy,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
}

/// Licences for all, and more for some.
#[derive(Deserialize)]
struct Policy {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    license_file: Option<String>,
    /// `None` for the workspace's own members.
    source: Option<String>,
}

pub fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let deny = fs::read_to_string(workspace.root.join("deny.toml")).context("deny.toml")?;
    let deny: Deny = toml::from_str(&deny).context("deny.toml")?;
    let metadata = shell::cargo()
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .args(deny.graph.targets.iter().flat_map(|target| ["--filter-platform", target]))
        .current_dir(&workspace.root)
        .output()
        .context("cargo could not be run")?;
    anyhow::ensure!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr).trim());
    let metadata: Metadata =
        serde_json::from_slice(&metadata.stdout).context("cargo metadata gave something unexpected")?;
    let foreign = metadata.packages.iter().filter(|package| package.source.is_some());
    Ok(foreign
        .flat_map(|package| [deny.licenses.objection(package), deny.bans.objection(package)])
        .flatten()
        .collect())
}

impl Bans {
    /// Why a package may not be used; `None` if it may.
    fn objection(&self, package: &Package) -> Option<Finding> {
        let is_banned = self.deny.iter().any(|ban| ban.name == package.name);
        is_banned.then(|| Finding {
            path: "Cargo.lock".to_owned(),
            line: None,
            text: format!("dependency {} {} is refused in deny.toml", package.name, package.version),
        })
    }
}

impl Policy {
    /// Why a package may not be used; `None` if it may.
    fn objection(&self, package: &Package) -> Option<Finding> {
        let text = match package.license.as_deref() {
            // Whoever made the exception has read the file, and cargo-deny recognises its text.
            None if package.license_file.is_some() && self.has_exception(&package.name) => return None,
            None => "states no licence".to_owned(),
            Some(licence) => match Expression::parse_mode(licence, ParseMode::LAX) {
                Err(error) => format!("its licence `{licence}` cannot be read: {}", error.reason),
                Ok(expression) if self.allows(&package.name, &expression) => return None,
                Ok(_) => format!("its licence `{licence}` is not on the list in deny.toml"),
            },
        };
        let text = format!("dependency {} {}: {text}", package.name, package.version);
        Some(Finding { path: "Cargo.lock".to_owned(), line: None, text })
    }

    fn has_exception(&self, name: &str) -> bool {
        self.exceptions.iter().any(|exception| exception.name == name)
    }

    fn allows(&self, name: &str, expression: &Expression) -> bool {
        let exceptions = self.exceptions.iter().filter(|exception| exception.name == name);
        let allowed: Vec<&String> =
            self.allow.iter().chain(exceptions.flat_map(|exception| &exception.allow)).collect();
        expression.evaluate(|requirement| allowed.iter().any(|licence| **licence == requirement.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deny() -> Deny {
        let text = "[graph]\ntargets = []\n[licenses]\nallow = ['MIT', 'Zlib']\nexceptions = [{ crate = 'a', allow = ['MPL-2.0'] }]\n\
            [bans]\ndeny = [{ crate = 'net' }]";
        toml::from_str(text).unwrap()
    }

    #[test]
    fn refused_crates_are_named() {
        let package = |name: &str| Package {
            name: name.into(),
            version: "2.0.0".into(),
            license: Some("MIT".into()),
            license_file: None,
            source: None,
        };
        assert!(deny().bans.objection(&package("net")).unwrap().text.contains("net 2.0.0"));
        assert_eq!(deny().bans.objection(&package("nett")), None);
    }

    fn objection(name: &str, licence: Option<&str>) -> Option<String> {
        objection_with(name, licence, None)
    }

    fn objection_with(name: &str, licence: Option<&str>, file: Option<&str>) -> Option<String> {
        let deny = deny();
        let package = Package {
            name: name.into(),
            version: "1.0.0".into(),
            license: licence.map(Into::into),
            license_file: file.map(Into::into),
            source: None,
        };
        deny.licenses.objection(&package).map(|finding| finding.text)
    }

    #[test]
    fn expressions_are_evaluated() {
        for licence in ["MIT", "MIT/Apache-2.0", "GPL-3.0-only OR MIT", "MIT AND Zlib"] {
            assert_eq!(objection("b", Some(licence)), None, "{licence}");
        }
        for licence in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MPL-2.0"] {
            assert!(objection("b", Some(licence)).unwrap().contains("not on the list"), "{licence}");
        }
    }

    #[test]
    fn exceptions_hold_for_their_crate_alone() {
        assert_eq!(objection("a", Some("MPL-2.0")), None);
        assert!(objection("a", Some("GPL-2.0-only")).is_some());
    }

    #[test]
    fn a_licence_in_a_file_alone_needs_an_exception() {
        assert_eq!(objection_with("a", None, Some("LICENSE.txt")), None);
        assert!(objection_with("b", None, Some("LICENSE.txt")).is_some());
        assert!(objection_with("a", None, None).is_some());
    }

    #[test]
    fn missing_and_malformed_licences_are_named() {
        assert!(objection("b", None).unwrap().contains("b 1.0.0"));
        assert!(objection("b", Some("My own")).unwrap().contains("cannot be read"));
    }
}
