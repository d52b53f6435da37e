//! Names from bundler.toml.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The plugin's names in its bundles.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Names {
    /// The bundles' file name, and what people see.
    pub name: String,
    /// The plugin's vendor.
    pub vendor: String,
    /// Reverse domain name; each bundle adds its format.
    pub identifier: String,
    /// Codes of the Audio Unit.
    pub audio_unit: AudioUnit,
}

/// Four-character codes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioUnit {
    /// Of the vendor, with a capital letter: all-lower-case codes are Apple's.
    pub manufacturer: String,
    /// Of this unit among the vendor's.
    pub subtype: String,
}

#[derive(Deserialize)]
struct File {
    tacet: Names,
}

impl Names {
    /// Reads bundler.toml.
    ///
    /// # Errors
    /// It is missing, malformed, or holds what a bundle cannot.
    pub fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join("bundler.toml")).context("bundler.toml")?;
        Self::parse(&text).context("bundler.toml")
    }

    fn parse(text: &str) -> Result<Self> {
        let names = toml::from_str::<File>(text)?.tacet;
        let AudioUnit { manufacturer, subtype } = &names.audio_unit;
        for code in [manufacturer, subtype] {
            ensure!(code.len() == 4 && code.is_ascii(), "`{code}` must have four ASCII characters");
        }
        ensure!(
            manufacturer.bytes().any(|byte| byte.is_ascii_uppercase()),
            "`{manufacturer}` needs a capital letter"
        );
        ensure!(
            !names.name.is_empty() && !names.name.contains(['/', '\\']),
            "`{}` is no file name",
            names.name
        );
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[tacet]\nname = 'A'\nvendor = 'B'\nidentifier = 'c.d'\n\
        [tacet.audio-unit]\nmanufacturer = 'Manu'\nsubtype = 'subt'\n";

    #[test]
    fn ours_is_good() {
        let root = crate::workspace::Workspace::find().unwrap().root;
        assert_eq!(Names::read(&root).unwrap().name, "Tacet");
        assert_eq!(Names::parse(GOOD).unwrap().audio_unit.subtype, "subt");
    }

    #[test]
    fn names_that_hosts_would_refuse_are_refused() {
        for (from, to) in
            [("Manu", "manu"), ("Manu", "Man"), ("subt", "subtype"), ("'A'", "'a/b'"), ("'A'", "''")]
        {
            assert!(Names::parse(&GOOD.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }
}
