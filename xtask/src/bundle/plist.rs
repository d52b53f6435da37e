//! macOS property lists.

use super::format::Format;
use super::names::Names;

/// Why the standalone listens; macOS asks the user with this text.
const MICROPHONE_USE: &str = "Tacet removes noise from what the microphone hears.";
/// Oldest macOS that Rust supports on both processors.
pub(crate) const MINIMUM_MACOS: &str = "11.0";
/// clap-wrapper's export for the first plugin of the library.
const AU_FACTORY: &str = "GetPluginFactoryAUV2_0";

/// The four letters that distinguish a program from a plugin.
pub(crate) fn package_type(format: Format) -> &'static str {
    if format == Format::Standalone { "APPL" } else { "BNDL" }
}

/// Info.plist of a bundle with this extension.
pub fn info(format: Format, extension: &str, names: &Names) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let identifier = match format {
        Format::Standalone => names.identifier.clone(),
        _ => format!("{}.{extension}", names.identifier),
    };
    let mut entries = vec![
        string("CFBundleDevelopmentRegion", "en"),
        string("CFBundleExecutable", &names.name),
        string("CFBundleIdentifier", &identifier),
        string("CFBundleInfoDictionaryVersion", "6.0"),
        string("CFBundleName", &names.name),
        string("CFBundlePackageType", package_type(format)),
        string("CFBundleShortVersionString", version),
        string("CFBundleSignature", "????"),
        string("CFBundleVersion", version),
        string("LSMinimumSystemVersion", MINIMUM_MACOS),
        "<key>NSHighResolutionCapable</key><true/>".to_owned(),
        string("NSHumanReadableCopyright", &format!("{}, MIT OR Apache-2.0", names.vendor)),
    ];
    if format == Format::Standalone {
        entries.push(string("NSMicrophoneUsageDescription", MICROPHONE_USE));
    }
    if format == Format::AudioUnit {
        entries.push(audio_components(names));
    }
    let body: String = entries.iter().map(|entry| format!("  {entry}\n")).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n{body}</dict>\n</plist>\n"
    )
}

/// The registered component: one effect.
fn audio_components(names: &Names) -> String {
    let entries = [
        string("name", &format!("{}: {}", names.vendor, names.name)),
        string("description", "Removes noise from speech"),
        string("factoryFunction", AU_FACTORY),
        string("manufacturer", &names.audio_unit.manufacturer),
        string("subtype", &names.audio_unit.subtype),
        string("type", "aufx"),
        format!("<key>version</key><integer>{}</integer>", version_number()),
        "<key>sandboxSafe</key><true/>".to_owned(),
        "<key>resourceUsage</key><dict/>".to_owned(),
    ];
    format!("<key>AudioComponents</key><array><dict>{}</dict></array>", entries.concat())
}

/// This version as Audio Units count: major in the upper 16 bits, minor and patch in 8 each.
fn version_number() -> u32 {
    let part = |text: &str| text.parse::<u32>().unwrap_or(0);
    let (major, minor) = (part(env!("CARGO_PKG_VERSION_MAJOR")), part(env!("CARGO_PKG_VERSION_MINOR")));
    (major << 16) | (minor << 8) | part(env!("CARGO_PKG_VERSION_PATCH"))
}

fn string(key: &str, value: &str) -> String {
    let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<key>{key}</key><string>{escaped}</string>")
}

#[cfg(test)]
mod tests {
    use super::super::format::WRAPPED_ON_MACOS;
    use super::super::layout::names;
    use super::*;

    #[test]
    fn only_the_standalone_asks_for_the_microphone() {
        for (format, extension) in WRAPPED_ON_MACOS {
            let info = info(format, extension, &names());
            assert_eq!(info.contains("NSMicrophoneUsageDescription"), format == Format::Standalone);
            assert_eq!(info.contains("AudioComponents"), format == Format::AudioUnit);
            assert!(info.contains(env!("CARGO_PKG_VERSION")) && info.contains("<string>Name</string>"));
        }
    }

    #[test]
    fn text_is_escaped_and_identifiers_differ() {
        assert!(info(Format::AudioUnit, "component", &names()).contains("<string>A &amp; B: Name</string>"));
        assert!(info(Format::Vst3, "vst3", &names()).contains("<string>a.b.vst3</string>"));
        assert!(info(Format::Standalone, "app", &names()).contains("<string>a.b</string>"));
    }

    #[test]
    fn every_tag_is_closed() {
        for (format, extension) in WRAPPED_ON_MACOS {
            let info = info(format, extension, &names());
            for tag in ["dict", "array", "key", "string", "plist", "integer"] {
                let opened =
                    info.matches(&format!("<{tag}>")).count() + info.matches(&format!("<{tag} ")).count();
                assert_eq!(opened, info.matches(&format!("</{tag}>")).count(), "{tag}");
            }
        }
    }
}
