//! INSTALL.txt of an archive: what goes where. The folders are those that `cargo xtask install` uses.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use tacet_torch_pack::locate::{BUNDLED_DIR, BUNDLED_MODELS_DIR};

use super::{CHECKSUMS, Contents, NOTICES, VERSION};
use crate::bundle::layout::{Format, System};
use crate::install;

/// The text for the archive's platform.
///
/// # Errors
/// A bundle has no folder there.
pub(super) fn text(contents: &Contents) -> Result<String> {
    let system = contents.platform.system;
    let mut text = format!("Tacet {VERSION}, {}\n\nCopy what you use:\n\n", contents.platform);
    for bundle in &contents.bundles {
        let home = Path::new(if system == System::Windows { "%USERPROFILE%" } else { "~" });
        let folder = install::user_folder(system, bundle.format, home, Path::new("%LOCALAPPDATA%"))?;
        let folder = folder.display().to_string();
        let folder = if system == System::Windows { folder.replace('/', "\\") } else { folder };
        let root = bundle.root.display();
        let _ = writeln!(text, "  {root:<26} {:<28} to {folder}", purpose(bundle.format));
    }
    let folders = contents.folders();
    if folders.contains(&BUNDLED_MODELS_DIR) {
        let _ = write!(
            text,
            "\n{BUNDLED_MODELS_DIR} holds the low-latency model. It is found beside the plugins and beside the programs; \
             `tacet model status`\nsays where else.\n"
        );
    }
    if folders.contains(&BUNDLED_DIR) {
        let _ = write!(
            text,
            "\n{BUNDLED_DIR} is for GPUs: with it beside the program, `tacet torch install` fetches libtorch.\n"
        );
    }
    text += match system {
        System::Linux => {
            "\nThe plugin's window and tacet-live need X11 and OpenGL, tacet-live also ALSA and JACK's library; tacet needs \
             libc only.\n"
        }
        System::MacOs => {
            "\nEverything is signed ad hoc and not notarised. macOS keeps a download in quarantine; take it out with\n\n  \
             xattr -dr com.apple.quarantine FOLDER\n"
        }
        System::Windows => "\nNothing is signed: Windows may ask before it starts the programs.\n",
    };
    let _ = write!(
        text,
        "\nTo check the files: `sha256sum --check {CHECKSUMS}` (macOS: `shasum -a 256 --check {CHECKSUMS}`).\n\
         Licences: LICENSE-MIT or LICENSE-APACHE, at your option; {NOTICES} has those of what is compiled in.\n"
    );
    Ok(text)
}

fn purpose(format: Format) -> &'static str {
    match format {
        Format::Clap => "CLAP plugin",
        Format::Vst3 => "VST3 plugin",
        Format::AudioUnit => "Audio Unit",
        Format::Ladspa => "LADSPA plugins",
        Format::Lv2 => "LV2 plugins",
        Format::Standalone => "window on the microphone",
        Format::Program => "program for files",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::layout::{Platform, bundles};
    use crate::bundle::names::Names;
    use crate::workspace::Workspace;

    #[test]
    fn every_bundle_has_its_place() {
        let names = Names::read(&Workspace::find().unwrap().root).unwrap();
        for (target, places) in [
            ("x86_64-unknown-linux-gnu", ["~/.clap", "~/.vst3", "~/.lv2", "~/.ladspa", "~/.local/bin"]),
            (
                "aarch64-apple-darwin",
                [
                    "~/Library/Audio/Plug-Ins/CLAP",
                    "~/Library/Audio/Plug-Ins/VST3",
                    "~/Library/Audio/Plug-Ins/Components",
                    "~/Applications",
                    "~/.local/bin",
                ],
            ),
            (
                "x86_64-pc-windows-msvc",
                [
                    r"%LOCALAPPDATA%\Programs\Common\CLAP",
                    r"%LOCALAPPDATA%\Programs\Common\VST3",
                    r"%LOCALAPPDATA%\Programs\Tacet",
                    "tacet.exe",
                    "tacet-live.exe",
                ],
            ),
        ] {
            let platform = Platform::of_target(target).unwrap();
            let bundles = bundles(platform, &names);
            let contents = Contents {
                bundles,
                source: "nowhere".into(),
                notices: String::new(),
                platform,
                has_backend: false,
            };
            let text = text(&contents).unwrap();
            assert!(places.iter().all(|place| text.contains(place)), "{text}");
        }
    }
}
