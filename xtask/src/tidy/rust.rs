//! Rules for Rust: module docs, length, width, proof beside `unsafe`, no code in comments. Compiler and clippy see only
//! what this platform compiles; these rules see all.

use super::{Finding, Source};

/// Most lines of a module: beyond that nobody reads it in one go.
const MAX_LINES: usize = 500;
/// Most columns of a comment's text, indentation and slashes apart. Code is rustfmt's affair.
const MAX_COLUMNS: usize = 120;
/// How far above `unsafe` its proof may begin.
const SAFETY_LINES: usize = 8;

pub fn check(source: &Source) -> Vec<Finding> {
    if !source.has_extension("rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if !source.text.starts_with("//! ") {
        findings.push(source.at(1, "the first line says what the module does: `//! ...`"));
    }
    if source.file_name() == "mod.rs" {
        findings.push(source.whole("modules are `foo.rs` beside `foo/`, not `foo/mod.rs`"));
    }
    let n_lines = source.lines().count();
    if n_lines > MAX_LINES {
        findings.push(source.whole(format!("{n_lines} lines, more than {MAX_LINES}: split it")));
    }
    let lines: Vec<&str> = source.lines().map(|(_, line)| line).collect();
    for (number, line) in source.lines() {
        let n_columns = prose(line).map_or(0, |text| text.chars().count());
        if n_columns > MAX_COLUMNS {
            findings.push(source.at(number, format!("{n_columns} columns, more than {MAX_COLUMNS}")));
        }
        if is_code_in_comment(line) {
            findings.push(source.at(number, "code in a comment: delete it, git remembers"));
        }
        if needs_safety(line) && !has_safety(&lines[..number]) {
            findings.push(source.at(number, "unsafe without `// SAFETY:` naming the check"));
        }
    }
    findings
}

/// The text of a comment that can be wrapped: no table, no address.
fn prose(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?.trim_start_matches(['/', '!', ' ']);
    (!text.starts_with('|') && !text.contains("://")).then_some(text)
}

/// Plain comments that end as statements or blocks do. Doc comments hold examples.
fn is_code_in_comment(line: &str) -> bool {
    line.trim_start().strip_prefix("// ").is_some_and(|comment| {
        [");", "};", "];", " {", "?;"].iter().any(|end| comment.trim_end().ends_with(end))
    })
}

/// Blocks and implementations; functions state their contract in their docs.
fn needs_safety(line: &str) -> bool {
    let is_comment = line.trim_start().starts_with("//");
    let code = line.split('"').step_by(2).collect::<String>();
    !is_comment && (code.contains("unsafe {") || code.contains("unsafe impl"))
}

/// Whether the last of these lines or one shortly above holds the proof.
fn has_safety(lines: &[&str]) -> bool {
    lines.iter().rev().take(SAFETY_LINES).any(|line| line.contains("SAFETY:"))
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        check(&source(path, text)).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn a_good_module_passes() {
        let good = "//! Adds.\n\n/// `unsafe { x }` in docs;\nfn f() {\n    // SAFETY: by `new`.\n    unsafe { g() }\n}\n";
        assert_eq!(texts("src/a.rs", good), Vec::<String>::new());
        assert_eq!(texts("src/a.py", "no rust"), Vec::<String>::new());
    }

    #[test]
    fn module_docs_and_layout() {
        assert!(texts("src/a.rs", "fn f() {}\n")[0].contains("first line"));
        assert!(texts("src/a/mod.rs", "//! A.\n")[0].contains("mod.rs"));
    }

    #[test]
    fn length_and_width_hold_up_to_the_limit() {
        let lines = |n: usize| format!("//! A.\n{}", "a();\n".repeat(n - 1));
        assert!(texts("a.rs", &lines(MAX_LINES)).is_empty());
        assert!(texts("a.rs", &lines(MAX_LINES + 1))[0].contains("split it"));
        let wide = |n: usize| format!("//! A.\n// {}\n", "ä".repeat(n));
        assert!(texts("a.rs", &wide(MAX_COLUMNS)).is_empty());
        assert!(texts("a.rs", &wide(MAX_COLUMNS + 1))[0].contains("columns"));
        let long = "x".repeat(MAX_COLUMNS + 1);
        for free in [format!("//! | {long} |"), format!("/// https://{long}"), format!("let a = \"{long}\";")]
        {
            assert!(texts("a.rs", &format!("//! A.\n{free}\n")).is_empty(), "{free}");
        }
    }

    #[test]
    fn unsafe_needs_its_proof_nearby() {
        for code in ["let x = unsafe { f() };", "unsafe impl Send for A {}"] {
            let far = "a();\n".repeat(SAFETY_LINES);
            assert!(texts("a.rs", &format!("//! A.\n{code}\n"))[0].contains("SAFETY"), "{code}");
            assert!(
                texts("a.rs", &format!("//! A.\n// SAFETY: why.\n{far}{code}\n"))[0].contains("SAFETY"),
                "{code}"
            );
            assert!(texts("a.rs", &format!("//! A.\n// SAFETY: why.\n{code}\n")).is_empty(), "{code}");
        }
        assert!(texts("a.rs", "//! A.\nlet x = \"unsafe { f() }\";\n").is_empty());
    }

    #[test]
    fn code_in_comments_is_found_and_prose_is_not() {
        for code in ["// f(x);", "    // if x {", "// let x = f()?;"] {
            assert_eq!(texts("a.rs", &format!("//! A.\n{code}\n")).len(), 1, "{code}");
        }
        for prose in ["// The sum (see above).", "/// f(x);", "// First this;"] {
            assert!(texts("a.rs", &format!("//! A.\n{prose}\n")).is_empty(), "{prose}");
        }
    }
}
