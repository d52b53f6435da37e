//! Puts a manifest into the program for Windows, and lets it start on every macOS.

use embed_manifest::{embed_manifest, new_manifest};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Another SDK is linked against anew.
    println!("cargo::rerun-if-env-changed=SDKROOT");
    if std::env::var_os("CARGO_CFG_WINDOWS").is_some() {
        // By its defaults: every screen's own scale, UTF-8, long paths, no rights beyond the user's.
        embed_manifest(new_manifest("Tacet.Live")).expect("the manifest is written where cargo says");
    }
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "macos") {
        // cpal can record what others play with functions of macOS 14.2, which nobody calls here. Older systems start the
        // program if it can do without.
        for word in ["-weak_framework", "CoreAudio"] {
            println!("cargo::rustc-link-arg-bins={word}");
        }
    }
}
