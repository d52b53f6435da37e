//! Signatures of macOS: ad hoc, or of the developer that `TACET_SIGN_IDENTITY` names. Apple silicon runs nothing
//! unsigned, and a copy has broken the linker's signature of a bundle.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::layout::Format;
use crate::shell;
use crate::workspace::package_dir;

/// Names a certificate in the keychain, as `security find-identity -p codesigning` lists them.
const IDENTITY: &str = "TACET_SIGN_IDENTITY";
/// No certificate.
const AD_HOC: &str = "-";

/// The list of a program's rights under the hardened runtime. Plugins have their host's.
pub(super) fn entitlements(format: Format) -> Option<PathBuf> {
    let list = match format {
        Format::Standalone => "Tacet.entitlements",
        Format::Program => "tacet-program.entitlements",
        _ => return None,
    };
    Some(package_dir().with_file_name("packaging").join("macos").join(list))
}

/// On macOS signs a library, or a bundle after everything in it, with these rights.
pub(super) fn sign(path: &Path, entitlements: Option<&Path>) -> Result<()> {
    if cfg!(target_os = "macos") {
        let identity = std::env::var_os(IDENTITY).unwrap_or_else(|| AD_HOC.into());
        let name = path.file_name().unwrap_or_default().display();
        shell::run_quietly(&format!("Signing {name}"), &mut codesign(path, &identity, entitlements))?;
    }
    Ok(())
}

/// Under the hardened runtime, which notarising asks for.
fn codesign(path: &Path, identity: &OsString, entitlements: Option<&Path>) -> Command {
    let mut sign = Command::new("codesign");
    sign.args(["--force", "--options", "runtime", "--sign"]).arg(identity);
    // Only a certificate's signature has a time.
    if identity != AD_HOC {
        sign.arg("--timestamp");
    }
    if let Some(entitlements) = entitlements {
        sign.arg("--entitlements").arg(entitlements);
    }
    sign.arg(path);
    sign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_have_a_time_and_programs_have_rights() {
        let typed = |identity: &str, entitlements: Option<&str>| {
            shell::typed(&codesign(Path::new("Tacet.app"), &identity.into(), entitlements.map(Path::new)))
        };
        assert_eq!(typed("-", None), "codesign --force --options runtime --sign - Tacet.app");
        assert_eq!(
            typed("Developer ID", Some("x")),
            "codesign --force --options runtime --sign 'Developer ID' --timestamp --entitlements x Tacet.app"
        );
    }
}
