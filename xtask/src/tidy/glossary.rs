//! One meaning for each word of the glossary in docs/architecture.md: one type of that name, and one count of such things.

use super::{Finding, Source};

const GLOSSARY: &str = "docs/architecture.md";
/// The glossary's heading.
const HEADING: &str = "## Words";
/// Folders that define the product and its commands; tests name their own things.
const DEFINED_IN: [&str; 2] = ["src/", "xtask/"];
const KINDS: [&str; 5] = ["struct", "enum", "trait", "union", "type"];

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let Some(glossary) = sources.iter().find(|source| source.path == GLOSSARY) else { return Vec::new() };
    let words = words(glossary);
    if words.is_empty() {
        return vec![glossary.whole(format!("lacks the glossary, a table below `{HEADING}`"))];
    }
    let is_searched = |source: &&Source| {
        source.has_extension("rs")
            && DEFINED_IN.iter().any(|place| source.path.starts_with(place))
            && !source.path.contains("/tests")
    };
    let defined: Vec<(&Source, usize, &str)> =
        sources.iter().filter(is_searched).flat_map(definitions).collect();
    let mut findings = Vec::new();
    for word in words {
        for name in [type_name(&word), count_name(&word)] {
            let places: Vec<_> = defined.iter().filter(|(_, _, other)| **other == name).collect();
            for (source, line, _) in places.iter().skip(1) {
                let (first, at, _) = places[0];
                let text = format!("`{name}` is a word of the glossary and stands at {}:{at}", first.path);
                findings.push(source.at(*line, text));
            }
        }
    }
    findings
}

/// The words of the glossary, in lower case.
fn words(glossary: &Source) -> Vec<String> {
    let table = glossary.text.split_once(HEADING).map_or("", |(_, below)| below);
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    rows.skip(1).flat_map(|cell| cell.split(", ")).map(str::to_lowercase).collect()
}

/// `hop box` is `HopBox`.
fn type_name(word: &str) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    word.split([' ', '-']).filter(|part| !part.is_empty()).map(capital).collect()
}

/// Of `hop box` there are `N_HOP_BOXES`.
fn count_name(word: &str) -> String {
    let ending = if word.ends_with(['s', 'x']) { "ES" } else { "S" };
    format!("N_{}{ending}", word.replace([' ', '-'], "_").to_uppercase())
}

/// Names of types and counts that a file defines outside of functions and of what it compiles for tests alone.
fn definitions(source: &Source) -> impl Iterator<Item = (&Source, usize, &str)> {
    let is_code = |(_, line): &(usize, &str)| !line.starts_with("mod tests");
    source.lines().take_while(is_code).filter_map(move |(number, line)| {
        let (kind, name) = without_visibility(line).split_once(' ')?;
        let name = name.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        (KINDS.contains(&kind) || (kind == "const" && name.starts_with("N_")))
            .then_some((source, number, name))
    })
}

fn without_visibility(line: &str) -> &str {
    match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or(line, |(_, item)| item),
        Some(rest) => rest.trim_start(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let table = "# A\n\n## Words\n\n| word | meaning |\n|---|---|\n| slot | one |\n| hop box, lane | two |\n\n## B\n| lab | x |\n";
        let files = files.iter().map(|(path, text)| source(path, text));
        let sources: Vec<Source> = std::iter::once(source(GLOSSARY, table)).chain(files).collect();
        check(&sources).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_word_of_the_glossary_names_one_thing() {
        let first = ("src/a.rs", "//! A.\npub(crate) struct Slot {}\npub const N_SLOTS: usize = 2;\n");
        let second = ("src/b/src/c.rs", "enum HopBox {}\npub trait Slot {}\nconst N_SLOTS: u8 = 1;\n");
        assert_eq!(
            found(&[first, second]),
            [
                "src/b/src/c.rs:2: `Slot` is a word of the glossary and stands at src/a.rs:2",
                "src/b/src/c.rs:3: `N_SLOTS` is a word of the glossary and stands at src/a.rs:3",
            ]
        );
        assert_eq!(found(&[first, ("src/d.rs", "pub type Lane = u8;\nstruct SlotState;\n")]), [""; 0]);
    }

    #[test]
    fn tests_and_other_words_are_free() {
        let text = "struct Slot;\nstruct Lab;\nmod tests {\n    struct Lane;\n}\n";
        assert_eq!(found(&[("src/a.rs", text), ("src/x/tests/b.rs", text), ("tests/c.rs", text)]), [""; 0]);
        assert_eq!(found(&[("src/a.rs", text), ("src/e.rs", "struct Lab;\n")]), [""; 0]);
    }

    #[test]
    fn a_glossary_that_is_gone_is_found() {
        assert_eq!(check(&[source(GLOSSARY, "# A\n")]).len(), 1);
    }
}
