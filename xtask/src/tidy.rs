//! `cargo xtask tidy`: what a reviewer would nag about, checked by machine.
//!
//! Every rule is a function of a file's text (or of cargo's metadata) that returns findings, so that it can be tested
//! on a few lines. The repository itself is a test of this module.

use std::fmt;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

mod circles;
mod dependencies;
mod documents;
mod features;
mod glossary;
mod manifests;
mod profiles;
mod rust;
mod source;
mod text;
mod words;

pub use source::Source;

/// Something that a reviewer would object to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the repository's root.
    pub path: String,
    /// The line, from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// The problem and, where that is not plain, the remedy.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.text),
            None => write!(f, "{}: {}", self.path, self.text),
        }
    }
}

/// Prints every finding.
///
/// # Errors
/// There is one, or the repository cannot be read.
pub fn run(workspace: &Workspace) -> Result<()> {
    let findings = findings(workspace)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("the repository is not tidy: {} findings", findings.len());
    }
    Ok(())
}

/// All findings of all rules, by file.
///
/// # Errors
/// The repository or its metadata cannot be read.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let sources = source::all(&workspace.root)?;
    let mut findings: Vec<Finding> = sources.iter().flat_map(text::check).collect();
    findings.extend(sources.iter().flat_map(rust::check));
    findings.extend(sources.iter().flat_map(manifests::check));
    findings.extend(sources.iter().flat_map(words::check));
    findings.extend(circles::check(&sources));
    findings.extend(documents::check(&sources));
    findings.extend(glossary::check(&sources));
    findings.extend(profiles::check(&sources)?);
    findings.extend(dependencies::check(workspace)?);
    findings.extend(features::check(workspace)?);
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let findings = findings(&Workspace::find().unwrap()).unwrap();
        let listed: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(listed.is_empty(), "{}", listed.join("\n"));
    }
}
