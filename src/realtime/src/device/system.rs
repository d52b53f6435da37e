//! The operating system and its version.

use std::fmt;

/// A version, compared part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 14 of 14.5.1.
    pub major: u32,
    /// 5 of 14.5.1.
    pub minor: u32,
    /// 1 of 14.5.1.
    pub patch: u32,
}

impl Version {
    /// `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor, patch: 0 }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 {
            write!(f, ".{}", self.patch)?;
        }
        Ok(())
    }
}

/// The system of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// macOS.
    MacOs {
        /// As `NSProcessInfo` says.
        version: Version,
        /// Whether the program is built for Apple silicon; an Intel build under Rosetta is not.
        apple_silicon: bool,
    },
    /// Linux.
    Linux,
    /// Windows.
    Windows,
    /// Anything else.
    Other,
}

impl System {
    /// This one.
    pub fn current() -> Self {
        #[cfg(target_os = "macos")]
        return Self::MacOs { version: macos_version(), apple_silicon: cfg!(target_arch = "aarch64") };
        #[cfg(not(target_os = "macos"))]
        if cfg!(target_os = "linux") {
            Self::Linux
        } else if cfg!(target_os = "windows") {
            Self::Windows
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MacOs { version, apple_silicon } => {
                write!(f, "macOS {version} on {}", if *apple_silicon { "Apple silicon" } else { "Intel" })
            }
            Self::Linux => f.write_str("Linux"),
            Self::Windows => f.write_str("Windows"),
            Self::Other => f.write_str(std::env::consts::OS),
        }
    }
}

#[cfg(target_os = "macos")]
fn macos_version() -> Version {
    let version = objc2_foundation::NSProcessInfo::processInfo().operatingSystemVersion();
    // NSInteger; a version is small and not negative.
    let part = |number: isize| u32::try_from(number).unwrap_or(0);
    Version {
        major: part(version.majorVersion),
        minor: part(version.minorVersion),
        patch: part(version.patchVersion),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(Version::new(9, 9) < Version::new(10, 0) && Version::new(14, 2) < Version::new(14, 10));
        assert!(Version { major: 14, minor: 0, patch: 1 } > Version::new(14, 0));
        assert_eq!(Version { major: 13, minor: 6, patch: 1 }.to_string(), "13.6.1");
    }
}
