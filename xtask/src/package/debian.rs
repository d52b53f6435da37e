//! Debian's package: where Debian's hosts look, with the dependencies that Debian's own tool finds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Contents, NOTICES, VERSION, archive};
use crate::bundle::layout::{Architecture, Bundle, Format, System};
use crate::bundle::names::Names;
use crate::bundle::remove;
use crate::install;
use crate::setup::prerequisites;
use crate::shell;
use crate::workspace::Workspace;
use tacet_torch_pack::locate::{BUNDLED_DIR, BUNDLED_MODELS_DIR};

/// The programs' folder: what lies beside them is found through the links in /usr/bin as well.
const PROGRAMS: &str = "usr/lib/tacet";
const DOCUMENTS: &str = "usr/share/doc/tacet";

/// Lays the package out and builds it; gives its path.
///
/// # Errors
/// A tool is missing, or something cannot be written.
pub(super) fn make(workspace: &Workspace, contents: &Contents, into: &Path) -> Result<PathBuf> {
    prerequisites::provide_packages(&["dpkg-dev"])?;
    let root = into.join("deb");
    remove(&root)?;
    lay_out(workspace, contents, &root)?;
    let architecture = match contents.platform.processor {
        Architecture::X86_64 => "amd64",
        Architecture::Arm64 => "arm64",
    };
    let vendor = Names::read(&workspace.root)?.vendor;
    let n_bytes: u64 = archive::files(&root)?
        .iter()
        .map(|file| fs::symlink_metadata(file).map_or(0, |found| found.len()))
        .sum();
    let control = control(&vendor, architecture, n_bytes, &dependencies(contents, &root)?);
    fs::create_dir(root.join("DEBIAN"))?;
    fs::write(root.join("DEBIAN/control"), control)?;
    let deb = into.join(format!("tacet_{VERSION}_{architecture}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--build", "--root-owner-group", "-Zxz"]).arg(&root).arg(&deb);
    shell::run_quietly("Packing the .deb", &mut build)?;
    remove(&root)?;
    Ok(deb)
}

/// A bundle's folder, below the root.
fn place(bundle: &Bundle) -> Result<PathBuf> {
    Ok(match bundle.format {
        Format::Standalone | Format::Program => Path::new(PROGRAMS).join(&bundle.root),
        format => install::system_folder(System::Linux, format)?.strip_prefix("/")?.join(&bundle.root),
    })
}

fn lay_out(workspace: &Workspace, contents: &Contents, root: &Path) -> Result<()> {
    for bundle in &contents.bundles {
        put(&contents.source.join(&bundle.root), &root.join(place(bundle)?))?;
        if matches!(bundle.format, Format::Standalone | Format::Program) {
            link(bundle, root)?;
        }
    }
    for folder in contents.folders() {
        let target = match folder {
            BUNDLED_MODELS_DIR => Path::new("usr/share/tacet/models"),
            _ => &Path::new(PROGRAMS).join(BUNDLED_DIR),
        };
        put(&contents.source.join(folder), &root.join(target))?;
    }
    let documents = root.join(DOCUMENTS);
    fs::create_dir_all(&documents)?;
    fs::write(documents.join(NOTICES), &contents.notices)?;
    for name in ["README.md", "CHANGELOG.md"] {
        fs::copy(workspace.root.join(name), documents.join(name))?;
    }
    let licence = fs::read_to_string(workspace.root.join("LICENSE-MIT"))?;
    fs::write(documents.join("copyright"), copyright(&licence))?;
    tidy_rights(root)
}

fn put(source: &Path, target: &Path) -> Result<()> {
    fs::create_dir_all(target.parent().context("no directory")?)?;
    install::copy(source, target)
}

/// The program's name on everybody's path.
fn link(bundle: &Bundle, root: &Path) -> Result<()> {
    let bin = root.join("usr/bin");
    fs::create_dir_all(&bin)?;
    #[cfg(unix)]
    std::os::unix::fs::symlink(Path::new("../lib/tacet").join(&bundle.root), bin.join(&bundle.root))?;
    #[cfg(not(unix))]
    anyhow::bail!("{} cannot be linked in {}: a .deb is made on Linux", bundle.root.display(), bin.display());
    #[cfg(unix)]
    Ok(())
}

/// Rights as Debian wants them, whatever the user's mask is: programs may be run, libraries and texts be read.
fn tidy_rights(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = fs::symlink_metadata(path)?;
        if metadata.is_symlink() {
            return Ok(());
        }
        let is_program =
            path.extension().is_none() && path.parent().is_some_and(|dir| dir.ends_with(PROGRAMS));
        let mode = if metadata.is_dir() || is_program { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        if metadata.is_dir() {
            for entry in fs::read_dir(path)? {
                tidy_rights(&entry?.path())?;
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// The libraries that the binaries are linked with, as packages and their oldest versions.
fn dependencies(contents: &Contents, root: &Path) -> Result<String> {
    let dir = tempfile::tempdir()?;
    fs::create_dir(dir.path().join("debian"))?;
    // The tool asks for a source package's description and uses nothing of it.
    fs::write(dir.path().join("debian/control"), "Source: tacet\n\nPackage: tacet\nArchitecture: any\n")?;
    let mut tool = Command::new("dpkg-shlibdeps");
    tool.arg("-O").current_dir(dir.path());
    for bundle in &contents.bundles {
        let binary = bundle.binary.strip_prefix(&bundle.root)?;
        let place = place(bundle)?;
        // A single file is its own binary.
        let path = if binary.as_os_str().is_empty() { place } else { place.join(binary) };
        tool.arg(format!("-e{}", root.join(path).display()));
    }
    let found = shell::run_quietly("Asking what the binaries are linked with", &mut tool)?;
    let found = found.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    Ok(found.context("dpkg-shlibdeps found no dependency")?.to_owned())
}

fn control(vendor: &str, architecture: &str, n_bytes: u64, depends: &str) -> String {
    // Libraries that are opened when there is a window, and what `tacet mic` runs in: not what a server needs that
    // denoises files.
    let window = prerequisites::WINDOW_LIBRARIES.join(", ");
    format!(
        "Package: tacet\nVersion: {VERSION}\nArchitecture: {architecture}\nMaintainer: {vendor}\nSection: sound\nPriority: optional\n\
         Installed-Size: {}\nDepends: {depends}\nRecommends: {window}\nSuggests: pipewire, ffmpeg\n\
         Description: removes noise from speech in real time\n \
         A speech denoiser around the DeepFilterNet3 network: plugins (CLAP, VST3, LV2,\n \
         LADSPA), a program for files and a window on the microphone.\n",
        n_bytes.div_ceil(1024)
    )
}

/// Debian's machine-readable form.
fn copyright(mit: &str) -> String {
    let licence: String = mit
        .lines()
        .skip_while(|line| !line.starts_with("Permission"))
        .map(|line| if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") })
        .collect();
    let holder =
        mit.lines().find_map(|line| line.strip_prefix("Copyright (c) ")).unwrap_or("its contributors");
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: Tacet\n\
         Comment: {NOTICES} in this folder has the licences of what is compiled in.\n\n\
         Files: *\nCopyright: {holder}\nLicense: MIT or Apache-2.0\n\n\
         License: MIT or Apache-2.0\n On Debian systems, /usr/share/common-licenses/Apache-2.0 holds the second; the first:\n .\n{licence}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::layout::{Platform, bundles};

    #[test]
    fn bundles_lie_where_hosts_and_shells_look() {
        let names = Names::read(&Workspace::find().unwrap().root).unwrap();
        let bundles = bundles(Platform::of_target("x86_64-unknown-linux-gnu").unwrap(), &names);
        let places: Vec<_> =
            bundles.iter().map(|bundle| place(bundle).unwrap().display().to_string()).collect();
        assert_eq!(
            places,
            [
                "usr/lib/clap/Tacet.clap",
                "usr/lib/vst3/Tacet.vst3",
                "usr/lib/tacet/tacet-live",
                "usr/lib/tacet/tacet",
                "usr/lib/ladspa/libdeep_filter_ladspa.so",
                "usr/lib/lv2/tacet.lv2"
            ]
        );
    }

    #[test]
    fn control_and_copyright_have_no_empty_line_within_a_paragraph() {
        let control = control("A & B", "amd64", 2049, "libc6 (>= 2.35)");
        assert!(control.contains("\nInstalled-Size: 3\nDepends: libc6 (>= 2.35)\n"), "{control}");
        assert!(control.lines().all(|line| line.starts_with(' ') || line.contains(": ")), "{control}");
        let copyright = copyright("MIT License\n\nCopyright (c) A\n\nPermission is\n\nhereby\n");
        assert!(
            copyright.contains("\nCopyright: A\n") && copyright.ends_with(" Permission is\n .\n hereby\n"),
            "{copyright}"
        );
    }
}
