//! Rules for every text file: whitespace, unfinished work, paths of somebody's machine.

use super::{Finding, Source};

/// Marks of unfinished work. Written in halves, so that this file does not hold them.
const UNFINISHED: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ign", "ore"),
    concat!("dbg", "!("),
];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: [&str; 7] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\Users"),
    concat!("/wo", "rk/"),
    concat!("/t", "mp/"),
    concat!("../sha", "red"),
];

/// Licence texts and generated files are as others wrote them.
fn is_ours(source: &Source) -> bool {
    !source.file_name().starts_with("LICENSE") && source.file_name() != "Cargo.lock"
}

pub fn check(source: &Source) -> Vec<Finding> {
    if !is_ours(source) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(source.at(number, "trailing whitespace"));
        }
        if let Some(mark) = UNFINISHED.iter().find(|mark| line.contains(**mark)) {
            findings.push(source.at(number, format!("unfinished work: {mark}")));
        }
        if let Some(path) = MACHINE_PATHS.iter().find(|path| line.contains(**path)) {
            findings.push(source.at(number, format!("a path of one machine: {path}")));
        }
    }
    if !source.text.is_empty() && (!source.text.ends_with('\n') || source.text.ends_with("\n\n")) {
        findings.push(source.whole("ends without a newline or with an empty line"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    #[test]
    fn every_mark_and_path_is_found_with_its_line() {
        for mark in UNFINISHED.iter().chain(&MACHINE_PATHS) {
            let findings = check(&source("a.py", &format!("fine\nx = {mark}\n")));
            assert_eq!(findings.len(), 1, "{mark}");
            assert_eq!(findings[0].line, Some(2), "{mark}");
        }
    }

    #[test]
    fn whitespace_is_found() {
        for text in ["a \n", "a\t\n", "a\r\n", "a", "a\n\n"] {
            assert_eq!(check(&source("a.md", text)).len(), 1, "{text:?}");
        }
        assert!(check(&source("a.md", "a\n\nb\n")).is_empty());
        assert!(check(&source("a.md", "")).is_empty());
    }

    #[test]
    fn the_work_of_others_is_left_alone() {
        assert!(check(&source("assets/LICENSE-x", "a \n\n")).is_empty());
        assert!(check(&source("Cargo.lock", &format!("{} \n", UNFINISHED[0]))).is_empty());
    }
}
