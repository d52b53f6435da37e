//! The layout of a bundle on each platform: a pure function, so that each can be tested on all.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::names::Names;
use super::plist;

pub use super::format::Format;
use super::format::WRAPPED_ON_MACOS;

/// A platform that we bundle for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Operating system.
    pub system: System,
    /// Processor.
    pub processor: Architecture,
}

/// Operating systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names say all")]
pub enum System {
    Linux,
    MacOs,
    Windows,
}

/// Processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names say all")]
pub enum Architecture {
    X86_64,
    Arm64,
}

impl Platform {
    /// The one that this program runs on, which is the one it builds for.
    ///
    /// # Errors
    /// There are no plugin folders known for it.
    pub fn current() -> Result<Self> {
        let system = match std::env::consts::OS {
            "linux" => System::Linux,
            "macos" => System::MacOs,
            "windows" => System::Windows,
            other => bail!("no plugin bundles are known for {other}"),
        };
        let processor = match std::env::consts::ARCH {
            "x86_64" => Architecture::X86_64,
            "aarch64" => Architecture::Arm64,
            other => bail!("no plugin bundles are known for {other}"),
        };
        Ok(Self { system, processor })
    }

    /// The one of a target, by rustc's name.
    ///
    /// # Errors
    /// There are no plugin folders known for it.
    pub fn of_target(target: &str) -> Result<Self> {
        let system = match target {
            _ if target.ends_with("-linux-gnu") => System::Linux,
            _ if target.ends_with("-apple-darwin") => System::MacOs,
            _ if target.contains("-pc-windows-") => System::Windows,
            _ => bail!("no plugin bundles are known for {target}"),
        };
        let processor = match target.split('-').next() {
            Some("x86_64") => Architecture::X86_64,
            Some("aarch64") => Architecture::Arm64,
            _ => bail!("no plugin bundles are known for {target}"),
        };
        Ok(Self { system, processor })
    }

    /// VST3's name of the folder that holds the binary (Steinberg, "Plug-in Format Structure").
    fn vst3_folder(self) -> &'static str {
        match (self.system, self.processor) {
            (System::MacOs, _) => "MacOS",
            (System::Linux, Architecture::X86_64) => "x86_64-linux",
            (System::Linux, Architecture::Arm64) => "aarch64-linux",
            (System::Windows, Architecture::X86_64) => "x86_64-win",
            (System::Windows, Architecture::Arm64) => "arm64-win",
        }
    }
}

impl std::fmt::Display for Platform {
    /// As in the names of downloads: `linux-x86_64`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let system = match self.system {
            System::Linux => "linux",
            System::MacOs => "macos",
            System::Windows => "windows",
        };
        let processor = match self.processor {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        };
        write!(f, "{system}-{processor}")
    }
}

/// The LADSPA library: the name that configurations of DeepFilterNet's plugin ask for.
pub(crate) const LADSPA_FILE: &str = "libdeep_filter_ladspa.so";

/// One bundle. Paths are relative to the directory that holds the bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its purpose.
    pub format: Format,
    /// The installed file or directory.
    pub root: PathBuf,
    /// The binary in it, or it.
    pub binary: PathBuf,
    /// cargo's file that becomes the binary.
    pub product: PathBuf,
    /// Files to write beside the binary.
    pub texts: Vec<(PathBuf, String)>,
}

/// All bundles of a platform.
pub(crate) fn bundles(platform: Platform, names: &Names) -> Vec<Bundle> {
    let name = &names.name;
    match platform.system {
        System::MacOs => {
            let program = plain(Format::Program, "tacet".to_owned(), None, "tacet");
            WRAPPED_ON_MACOS
                .map(|(format, extension)| apple(format, extension, names))
                .into_iter()
                .chain([program])
                .collect()
        }
        System::Linux | System::Windows => {
            let (library, extension, live, program) = match platform.system {
                System::Windows => ("tacet.dll", "vst3", "tacet-live.exe", "tacet.exe"),
                _ => ("libtacet.so", "so", "tacet-live", "tacet"),
            };
            let vst3 = format!("{name}.vst3/Contents/{}/{name}.{extension}", platform.vst3_folder());
            let mut bundles = vec![
                plain(Format::Clap, format!("{name}.clap"), None, library),
                plain(Format::Vst3, format!("{name}.vst3"), Some(vst3), library),
                plain(Format::Standalone, live.to_owned(), None, live),
                plain(Format::Program, program.to_owned(), None, program),
            ];
            if platform.system == System::Linux {
                bundles.push(plain(Format::Ladspa, LADSPA_FILE.to_owned(), None, LADSPA_FILE));
                bundles.push(lv2());
            }
            bundles
        }
    }
}

/// A bundle without metadata; without a binary of its own path it is a single file.
fn plain(format: Format, root: String, binary: Option<String>, product: &str) -> Bundle {
    let binary = binary.unwrap_or_else(|| root.clone()).into();
    Bundle { format, root: root.into(), binary, product: product.into(), texts: Vec::new() }
}

/// LV2: the same library as LADSPA's, with the texts that describe it.
fn lv2() -> Bundle {
    let root = PathBuf::from("tacet.lv2");
    let text = |name: &str, text: &str| (root.join(name), text.to_owned());
    Bundle {
        format: Format::Lv2,
        binary: root.join("tacet.so"),
        product: LADSPA_FILE.into(),
        texts: vec![
            text("manifest.ttl", include_str!("../../../src/ladspa/lv2/manifest.ttl")),
            text("tacet.ttl", include_str!("../../../src/ladspa/lv2/tacet.ttl")),
        ],
        root,
    }
}

/// On macOS everything with a window is a directory with a property list.
fn apple(format: Format, extension: &str, names: &Names) -> Bundle {
    let product = if format == Format::Standalone { "tacet-live" } else { "libtacet.dylib" };
    let root = PathBuf::from(format!("{}.{extension}", names.name));
    let contents = root.join("Contents");
    Bundle {
        format,
        binary: contents.join("MacOS").join(&names.name),
        product: product.into(),
        texts: vec![
            (contents.join("Info.plist"), plist::info(format, extension, names)),
            (contents.join("PkgInfo"), format!("{}????", plist::package_type(format))),
        ],
        root,
    }
}

#[cfg(test)]
pub(super) fn names() -> Names {
    use super::names::AudioUnit;
    let audio_unit = AudioUnit { manufacturer: "Manu".into(), subtype: "subt".into() };
    Names { name: "Name".into(), vendor: "A & B".into(), identifier: "a.b".into(), audio_unit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(system: System, processor: Architecture) -> Vec<String> {
        let bundles = bundles(Platform { system, processor }, &names());
        bundles.iter().map(|bundle| bundle.binary.to_string_lossy().replace('\\', "/")).collect()
    }

    #[test]
    fn targets_are_platforms() {
        for (target, name) in [
            ("x86_64-unknown-linux-gnu", "linux-x86_64"),
            ("aarch64-unknown-linux-gnu", "linux-arm64"),
            ("x86_64-pc-windows-gnu", "windows-x86_64"),
            ("aarch64-apple-darwin", "macos-arm64"),
        ] {
            assert_eq!(Platform::of_target(target).unwrap().to_string(), name);
        }
        for unknown in ["wasm32-unknown-unknown", "riscv64gc-unknown-linux-gnu", ""] {
            assert!(Platform::of_target(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn linux_and_windows() {
        let vst3 = "Name.vst3/Contents/x86_64-linux/Name.so";
        let linux =
            ["Name.clap", vst3, "tacet-live", "tacet", "libdeep_filter_ladspa.so", "tacet.lv2/tacet.so"];
        assert_eq!(binaries(System::Linux, Architecture::X86_64), linux);
        assert_eq!(
            binaries(System::Linux, Architecture::Arm64)[1],
            "Name.vst3/Contents/aarch64-linux/Name.so"
        );
        let windows = ["Name.clap", "Name.vst3/Contents/x86_64-win/Name.vst3", "tacet-live.exe", "tacet.exe"];
        assert_eq!(binaries(System::Windows, Architecture::X86_64), windows);
        assert_eq!(
            binaries(System::Windows, Architecture::Arm64)[1],
            "Name.vst3/Contents/arm64-win/Name.vst3"
        );
    }

    #[test]
    fn macos_has_directories_and_an_audio_unit() {
        let platform = Platform { system: System::MacOs, processor: Architecture::Arm64 };
        let bundles = bundles(platform, &names());
        let roots: Vec<_> = bundles.iter().map(|bundle| bundle.root.to_string_lossy()).collect();
        assert_eq!(roots, ["Name.clap", "Name.vst3", "Name.component", "Name.app", "tacet"]);
        for bundle in bundles.iter().filter(|bundle| bundle.format != Format::Program) {
            assert_eq!(bundle.binary, bundle.root.join("Contents").join("MacOS").join("Name"));
            assert_eq!(bundle.texts.len(), 2);
            assert!(bundle.texts.iter().all(|(path, _)| path.starts_with(&bundle.root)));
        }
    }
}
