//! Words that the project no longer uses: names that the glossary in docs/architecture.md has replaced, turns of phrase
//! that no native speaker would write, and documentation or names of functions that begin with a relative clause.

use super::{Finding, Source};

/// A word or phrase, and what to write instead.
struct Retired {
    /// In lower case; written in halves, so that this file does not hold it.
    text: &'static str,
    instead: &'static str,
}

const fn retired(text: &'static str, instead: &'static str) -> Retired {
    Retired { text, instead }
}

/// Names, found as whole words and as parts of identifiers.
const NAMES: [Retired; 5] = [
    retired(concat!("switch", "board"), "slot manager"),
    retired(concat!("mail", "box"), "slot inbox"),
    retired(concat!("attend", "ant"), "background thread"),
    retired(concat!("be", "ll"), "signal"),
    retired(concat!("gau", "ges"), "meter reader"),
];

/// Phrases, found in comments, texts and documents.
const PHRASES: [Retired; 8] = [
    retired(concat!("to the ", "bit"), "bit-identical"),
    retired(concat!("bit-", "equal"), "bit-identical"),
    retired(concat!("of ", "ours"), "our own, or a name"),
    retired(concat!("is ", "told"), "reported to"),
    retired(concat!("are ", "told"), "reported to"),
    retired(concat!("was ", "told"), "reported to"),
    retired(concat!("can be ", "had"), "available"),
    retired(concat!("cannot be ", "had"), "unavailable"),
];

/// First words of documentation that begins with a relative clause ("What it holds") where a noun belongs ("Its
/// contents").
const RELATIVE: [&str; 10] =
    ["That", "Those", "What", "Whatever", "Where", "Which", "Who", "Whoever", "Whom", "Whose"];

pub fn check(source: &Source) -> Vec<Finding> {
    if !["rs", "md", "py"].iter().any(|extension| source.has_extension(extension)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if source.has_extension("rs") {
        findings.extend(relative_clauses(source));
    }
    for (number, line) in source.lines() {
        let lower = line.to_lowercase();
        let is_word = |word: &Retired| parts(line).any(|part| part.to_lowercase() == word.text);
        let names = NAMES.iter().filter(|word| is_word(word));
        let phrases = PHRASES.iter().filter(|phrase| has_phrase(&lower, phrase.text));
        let text = |retired: &Retired| format!("`{}`: write {}", retired.text, retired.instead);
        findings.extend(names.chain(phrases).map(|found| source.at(number, text(found))));
    }
    findings
}

/// First lines of paragraphs of documentation that begin with a relative clause, and functions whose names do.
fn relative_clauses(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_inside = false;
    for (number, line) in source.lines() {
        let text = documentation(line).map(str::trim);
        let first = text.and_then(|text| text.split(' ').next()).filter(|_| !is_inside);
        if let Some(word) = first.filter(|word| RELATIVE.contains(word)) {
            findings.push(source.at(number, format!("documentation begins with `{word}`: write a noun")));
        }
        is_inside = text.is_some_and(|text| !text.is_empty());
        let name = line.trim_start().strip_prefix("fn ").unwrap_or_default();
        if let Some(word) = RELATIVE.iter().find(|word| name.starts_with(&(word.to_lowercase() + "_"))) {
            findings.push(source.at(number, format!("a name begins with `{word}`: write a noun")));
        }
    }
    findings
}

/// The text of a line of documentation.
fn documentation(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))
}

/// Whether a phrase stands in a line, not as a part of longer words.
fn has_phrase(line: &str, phrase: &str) -> bool {
    let is_end = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    line.match_indices(phrase).any(|(at, _)| {
        is_end(line[..at].chars().next_back()) && is_end(line[at + phrase.len()..].chars().next())
    })
}

/// The words of a line, identifiers taken apart: `slot_manager` and `SlotManager` are two words each.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphabetic()).flat_map(|word| {
        let mut ends: Vec<usize> =
            word.char_indices().skip(1).filter(|(_, c)| c.is_uppercase()).map(|(at, _)| at).collect();
        ends.push(word.len());
        let mut start = 0;
        ends.into_iter().map(move |end| &word[std::mem::replace(&mut start, end)..end])
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<Option<usize>> {
        check(&source(path, text)).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn names_are_found_in_identifiers_and_prose() {
        for name in &NAMES {
            let capital = name.text[..1].to_uppercase() + &name.text[1..];
            let text =
                format!("fine\nlet my_{} = New{capital}::new();\n// A {} here.\n", name.text, name.text);
            assert_eq!(lines("a.rs", &text), [Some(2), Some(3)], "{}", name.text);
        }
        // Parts of other words are others.
        assert_eq!(lines("a.md", "Labelled, below.\n"), []);
    }

    #[test]
    fn phrases_are_found_at_the_borders_of_words() {
        for phrase in &PHRASES {
            assert_eq!(lines("a.md", &format!("It {}.\n", phrase.text)), [Some(1)], "{}", phrase.text);
            assert_eq!(lines("a.md", &format!("It {}s.\n", phrase.text)), [], "{}", phrase.text);
            assert_eq!(lines("a.py", phrase.text), [Some(1)]);
            assert_eq!(lines("a.txt", phrase.text), []);
        }
    }
    #[test]
    fn documentation_begins_with_no_relative_clause() {
        for word in RELATIVE {
            for found in [format!("//! {word} it is.\n"), format!("/// Runs.\n///\n/// {word} it is.\n")] {
                assert_eq!(lines("a.rs", &found).len(), 1, "{found}");
            }
            let free = [
                format!("/// The engine,\n/// {word} it is.\n"),
                format!("// {word} it is.\n"),
                format!("/// {word}ever.\n"),
            ];
            for free in free.iter().filter(|free| !free.contains("Whatever") && !free.contains("Whoever")) {
                assert_eq!(lines("a.rs", free), [], "{free}");
            }
            assert_eq!(lines("a.md", &format!("/// {word} it is.\n")), []);
            assert_eq!(lines("a.rs", &format!("    fn {}_it_is() {{}}\n", word.to_lowercase())), [Some(1)]);
        }
    }
}
