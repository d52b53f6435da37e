//! The downloads, used as people use them: archives from empty folders, those for arm64 and Windows by emulators, the
//! `.deb` in a bare Debian without development packages, the recipes' own commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Counts;
use super::emulator::Emulator;
use super::user::User;
use crate::bundle;
use crate::bundle::layout::{Format, Platform, System, bundles};
use crate::bundle::names::Names;
use crate::cross::{self, ARM64, WINDOWS};
use crate::demo::{RECORDING, plugin};
use crate::package::{self, Package, VERSION, recipes};
use crate::setup::prerequisites;
use crate::shell;
use crate::workspace::Workspace;

/// Makes this platform's package and uses it, then other platforms' archives under emulators. Every part that ran counts
/// as a test.
///
/// # Errors
/// Something cannot be made, or does not work where a user has it.
pub(super) fn check(workspace: &Workspace, counts: &mut Counts) -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "this step unpacks and runs Linux's archive");
    let recording = workspace.root.join(RECORDING);
    let mut passed = |what: &str| {
        println!("test {what} ... ok");
        counts.passed += 1;
    };
    let package = package::make(workspace, &bundle::Options::default())?;
    let user = User::unpack(workspace, &package, None)?;
    user.check_files()?;
    passed("the archive's files and checksums");
    let denoised = user.denoise(&recording)?;
    passed("tacet denoises");
    let comparison = plugin::compare(&user.file(Format::Clap)?, &recording, &denoised)?;
    ensure!(comparison.n_different == 0, "the plugin: {}", comparison.row());
    passed("the CLAP plugin runs");
    user.list_devices()?;
    passed("the standalone runs");
    check_recipes(&package, &user)?;
    passed("the recipes' commands");
    if let Some(deb) = &package.deb {
        match Bare::provide(workspace)? {
            Some(bare) => {
                bare.check(workspace, deb, &denoised)?;
                passed("the .deb in a bare Debian");
            }
            None => println!("skipped: the .deb in a bare Debian (changing the root needs root)"),
        }
    }
    if !prerequisites::is_debian() {
        println!("skipped: other platforms' archives (Debian's compilers and emulators build and run them)");
        return Ok(());
    }
    check_elsewhere(workspace, ARM64, &denoised, &mut passed)?;
    check_elsewhere(workspace, WINDOWS, &denoised, &mut passed)
}

/// Makes the archive for another platform and uses its programs; `denoised` is what this platform's program made of the
/// recording.
fn check_elsewhere(
    workspace: &Workspace,
    target: &str,
    denoised: &Path,
    passed: &mut impl FnMut(&str),
) -> Result<()> {
    let options = bundle::Options { target: Some(target.to_owned()), ..bundle::Options::default() };
    let package = package::make(workspace, &options)?;
    let is_windows = package.platform.system == System::Windows;
    let emulator = match is_windows {
        true => Emulator::wine(workspace, &cross::dir(workspace, target))?,
        false => Emulator::qemu()?,
    };
    let user = User::unpack(workspace, &package, Some(emulator))?;
    user.check_files()?;
    passed(&format!("{target}: the archive's files and checksums"));
    let same = fs::read(user.denoise(&workspace.root.join(RECORDING))?)? == fs::read(denoised)?;
    ensure!(same, "{target}: tacet denoises otherwise than here");
    passed(&format!("{target}: tacet denoises, with the same bits"));
    // The libraries for arm64 that qemu uses are the compiler's: none for sound.
    if is_windows {
        user.list_devices()?;
        passed(&format!("{target}: the standalone runs"));
    }
    Ok(())
}

/// The files that the recipes for Linux install, below the folder that each is given.
const INSTALLED: [(&str, &[&str]); 2] = [
    (
        "arch/PKGBUILD",
        &[
            "usr/bin/tacet",
            "usr/bin/tacet-live",
            "usr/lib/clap/Tacet.clap",
            "usr/lib/ladspa/libdeep_filter_ladspa.so",
            "usr/lib/lv2/tacet.lv2/manifest.ttl",
            "usr/lib/vst3/Tacet.vst3/Contents",
            "usr/share/licenses/tacet-bin/THIRD-PARTY.txt",
        ],
    ),
    (
        "flatpak/org.freedesktop.LinuxAudio.Plugins.Tacet.json",
        &[
            "clap/Tacet.clap",
            "ladspa/libdeep_filter_ladspa.so",
            "lv2/tacet.lv2/manifest.ttl",
            "vst3/Tacet.vst3/Contents",
            "share/licenses/a.b/LICENSE-MIT",
        ],
    ),
];

/// Runs what the recipes for Linux run and lets the programs that know their languages read all of them.
fn check_recipes(package: &Package, user: &User) -> Result<()> {
    if prerequisites::is_debian() {
        prerequisites::provide_packages(&["shellcheck", "ruby"])?;
    }
    let written = package.dir.join(recipes::DIR);
    for (recipe, installed) in INSTALLED {
        let path = written.join(recipe);
        let root = tempfile::tempdir()?;
        let script = if recipe.ends_with("PKGBUILD") {
            // As makepkg runs it: variables, then the function.
            format!(
                "set -eu; source '{}'; test \"$pkgver\" = {VERSION}; test -f '{}'/\"${{source[0]}}\"; package",
                path.display(),
                path.with_file_name("").display()
            )
        } else {
            let manifest: Manifest = serde_json::from_slice(&fs::read(&path)?)?;
            ensure!(path.ends_with(format!("{}.json", manifest.id)), "{} has another name", path.display());
            format!(
                "set -eu; cd '{}'; {}",
                user.folder.display(),
                manifest.modules[0].build_commands.join("; ")
            )
        };
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).env("srcdir", user.home()).env("pkgdir", root.path());
        shell::run(bash.env("FLATPAK_DEST", root.path()).env("FLATPAK_ID", "a.b"))?;
        for file in installed {
            ensure!(root.path().join(file).exists(), "{recipe} does not install {file}");
        }
    }
    // Variables that makepkg reads or sets look unused or unset.
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.args(["--shell=bash", "--exclude=SC2034,SC2154"]);
    shell::run(shellcheck.arg(written.join("arch/PKGBUILD")))?;
    let cask = tempfile::NamedTempFile::new()?;
    let workspace = Workspace::find()?;
    fs::write(cask.path(), recipes::RECIPES[2].filled(&workspace, &"0".repeat(64))?)?;
    shell::run_quietly("Reading the cask", Command::new("ruby").arg("-c").arg(cask.path()))?;
    Ok(())
}

#[derive(serde::Deserialize)]
struct Manifest {
    id: String,
    modules: Vec<Module>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Module {
    build_commands: Vec<String>,
}

/// A bare Debian in a folder: what debootstrap calls minimal, and nothing else.
struct Bare {
    root: PathBuf,
}

impl Bare {
    /// Installs it where it is not there yet; `None` where that needs rights that are missing.
    fn provide(workspace: &Workspace) -> Result<Option<Self>> {
        if !prerequisites::is_root() {
            return Ok(None);
        }
        prerequisites::provide_packages(&["debootstrap"])?;
        let root = workspace.target.join("package/bare");
        bundle::remove(&root)?;
        // The release and the mirror that this machine has.
        let mut ask = Command::new("apt-get");
        ask.args([
            "indextargets",
            "--format",
            "$(CODENAME) $(REPO_URI)",
            "Created-By: Packages",
            "Component: main",
        ]);
        let sources = shell::run_quietly("Asking for Debian's mirror", &mut ask)?;
        let (release, mirror) = sources
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(release, _)| !release.contains('-'))
            .context("apt has no source")?;
        let mut make = Command::new("debootstrap");
        make.args(["--variant=minbase", release]).arg(&root).arg(mirror);
        shell::run_quietly("Making a bare Debian", &mut make)?;
        Ok(Some(Self { root }))
    }

    fn run(&self, words: &[&str]) -> Result<String> {
        let mut chroot = Command::new("chroot");
        chroot.arg(&self.root).args([
            "/usr/bin/env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
        ]);
        shell::run_quietly(&format!("In the bare Debian: {}", words.join(" ")), chroot.args(words))
    }

    /// Installs the `.deb` with what it depends on, uses it and removes it.
    fn check(&self, workspace: &Workspace, deb: &Path, denoised: &Path) -> Result<()> {
        fs::copy(deb, self.root.join("tacet.deb"))?;
        fs::copy(workspace.root.join(RECORDING), self.root.join("noisy.wav"))?;
        self.run(&["apt-get", "update"])?;
        self.run(&["apt-get", "install", "--yes", "--no-install-recommends", "/tacet.deb"])?;
        let packages = self.run(&["dpkg-query", "--show", "--showformat", "${Package}\\n"])?;
        ensure!(
            !packages.lines().any(|name| name.ends_with("-dev") || name == "gcc"),
            "not bare: {packages}"
        );
        self.run(&["tacet", "denoise", "--quiet", "--float", "/noisy.wav", "-o", "/clean.wav"])?;
        let same = fs::read(self.root.join("clean.wav"))? == fs::read(denoised)?;
        ensure!(same, "the installed tacet denoises otherwise");
        self.run(&["tacet-live", "--list"])?;
        let listed = self.run(&["dpkg-query", "--listfiles", "tacet"])?;
        let files: Vec<&str> =
            listed.lines().filter(|path| self.root.join(path.trim_start_matches('/')).is_file()).collect();
        for bundle in bundles(Platform::current()?, &Names::read(&workspace.root)?) {
            let binary = format!("/{}", bundle.binary.display());
            let installed = files.iter().find(|file| file.ends_with(&binary));
            let installed = installed.with_context(|| format!("no {binary}"))?;
            let linked = self.run(&["ldd", installed])?;
            ensure!(!linked.contains("not found"), "{installed}: {linked}");
        }
        self.run(&["apt-get", "remove", "--yes", "tacet"])?;
        ensure!(!self.root.join("usr/lib/clap/Tacet.clap").exists(), "removing the package left the plugin");
        bundle::remove(&self.root)
    }
}
