//! Rules for what people read first: README and changelog.

use super::{Finding, Source};

/// The two commands that a newcomer copies.
const README_COMMANDS: [&str; 2] = ["cargo xtask demo", "cargo xtask test"];

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let version = concat!("## ", env!("CARGO_PKG_VERSION"));
    let mut findings = must_hold(sources, "README.md", &README_COMMANDS);
    findings.extend(must_hold(sources, "CHANGELOG.md", &[version]));
    findings
}

fn must_hold(sources: &[Source], path: &str, texts: &[&str]) -> Vec<Finding> {
    let Some(source) = sources.iter().find(|source| source.path == path) else {
        return vec![Finding { path: path.to_owned(), line: None, text: "is missing".to_owned() }];
    };
    let missing = texts.iter().filter(|text| !source.text.contains(**text));
    missing.map(|text| source.whole(format!("lacks `{text}`"))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    #[test]
    fn documents_must_be_there_and_hold_what_they_should() {
        assert_eq!(check(&[]).len(), 2);
        let changelog = source("CHANGELOG.md", concat!("## ", env!("CARGO_PKG_VERSION"), "\n"));
        let readme = source("README.md", "cargo xtask demo\n");
        let findings = check(&[readme, changelog]);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().contains("README.md: lacks `cargo xtask test`"), "{}", findings[0]);
    }
}
