//! Rules for profiles: a package that has one of its own is there. Cargo only warns of one that is not, on every build.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::{Finding, Source};

/// # Errors
/// The manifest or the lock file is missing, or is no TOML.
pub fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let table = |path: &str| -> Result<(&Source, toml::Table)> {
        let source = sources.iter().find(|source| source.path == path);
        let source = source.with_context(|| format!("{path} is missing"))?;
        Ok((source, source.text.parse().with_context(|| format!("{path} is no TOML"))?))
    };
    let (manifest, profiles) = table("Cargo.toml")?;
    let (_, lock) = table("Cargo.lock")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let packages: BTreeSet<&str> = packages.filter_map(|package| package.get("name")?.as_str()).collect();
    let profiles = profiles.get("profile").and_then(toml::Value::as_table).into_iter().flatten();
    let named = profiles.flat_map(|(profile, table)| {
        let packages = table.get("package").and_then(toml::Value::as_table).into_iter().flatten();
        packages.map(move |(package, _)| (profile, package))
    });
    let gone = named.filter(|(_, package)| *package != "*" && !packages.contains(package.as_str()));
    let finding =
        |(profile, package)| manifest.whole(format!("profile.{profile}: Cargo.lock has no {package}"));
    Ok(gone.map(finding).collect())
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    #[test]
    fn packages_with_profiles_exist() {
        let lock = source("Cargo.lock", "[[package]]\nname = \"here\"\nversion = \"1.0.0\"\n");
        let manifest = |text| source("Cargo.toml", text);
        let good = manifest(
            "[profile.release.package.\"*\"]\nopt-level = 3\n[profile.dev.package.here]\nopt-level = 1\n",
        );
        assert_eq!(check(&[good, lock.clone()]).unwrap(), []);
        let gone = manifest("[profile.release.package.gone]\nopt-level = 3\n");
        let findings = check(&[gone, lock]).unwrap();
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("release: Cargo.lock has no gone"), "{}", findings[0]);
        assert!(check(&[manifest("")]).is_err());
    }
}
