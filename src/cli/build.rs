//! Puts a manifest into the program for Windows.

use embed_manifest::{embed_manifest, new_manifest};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Another SDK is linked against anew.
    println!("cargo::rerun-if-env-changed=SDKROOT");
    if std::env::var_os("CARGO_CFG_WINDOWS").is_some() {
        // By its defaults: every screen's own scale, UTF-8, long paths, no rights beyond the user's.
        embed_manifest(new_manifest("Tacet.Program")).expect("the manifest is written where cargo says");
    }
}
