//! Rules for Cargo.toml: every dependency has its reason, every member takes the workspace's lints.

use super::{Finding, Source};

pub fn check(source: &Source) -> Vec<Finding> {
    if source.file_name() != "Cargo.toml" {
        return Vec::new();
    }
    let mut findings = reasons(source);
    // A workspace of its own has nothing to take them from.
    let is_apart = source.path != "Cargo.toml" && source.text.contains("\n[workspace]\n");
    if !is_apart && !source.text.contains("[lints]\nworkspace = true") {
        findings.push(source.whole("lacks `[lints] workspace = true`"));
    }
    findings
}

/// A comment above a dependency is its reason, and that of those that follow without a gap. What the whole workspace
/// shares has its reasons where it is used.
fn reasons(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_dependencies = false;
    let mut has_reason = false;
    for (number, line) in source.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            in_dependencies =
                line.trim_end_matches(']').ends_with("dependencies") && !line.starts_with("[workspace");
            has_reason = false;
        } else if line.is_empty() {
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else if in_dependencies && !has_reason && line.contains(" = ") {
            findings.push(source.at(number, "a dependency needs its reason: a comment above it"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn lines(text: &str) -> Vec<Option<usize>> {
        check(&source("src/a/Cargo.toml", text)).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn reasons_cover_the_group_below_them() {
        let good = format!("[dependencies]\n# Why.\na = \"1\"\nb = \"1\"\n\n# Why.\nc = \"1\"\n\n{LINTS}");
        assert_eq!(lines(&good), []);
        let gap = format!("[dependencies]\n# Why.\na = \"1\"\n\nb = \"1\"\n\n{LINTS}");
        assert_eq!(lines(&gap), [Some(5)]);
        let target = format!("[target.'cfg(unix)'.dependencies]\na = \"1\"\n\n{LINTS}");
        assert_eq!(lines(&target), [Some(2)]);
    }

    #[test]
    fn other_tables_need_none() {
        let other = format!("[package]\nname = \"a\"\n\n[workspace.dependencies]\na = \"1\"\n\n{LINTS}");
        assert_eq!(lines(&other), []);
        assert_eq!(lines("[package]\nname = \"a\"\n"), [None]);
    }
}
