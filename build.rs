//! Compresses the panel's typeface, and tells the linker to keep the plugin in memory, and its name.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::ZlibEncoder;

fn main() {
    // Set by `tests/concurrency`, which compiles some of these sources with loom's primitives.
    println!("cargo::rustc-check-cfg=cfg(loom)");
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(error) = compress_typeface() {
        println!("cargo::error=the typeface cannot be written: {error}");
    }
    // Another SDK is linked against anew.
    println!("cargo::rerun-if-env-changed=SDKROOT");
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        // A host's thread that has been in the plugin runs the standard library's clean-up in it when it ends, which may
        // be after the host has closed the plugin: the code has to be there still.
        Ok("linux") => println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete"),
        // The name by which others would load it is the path of this build otherwise.
        Ok("macos") => {
            // A compiler has to be told what is for its linker.
            let is_linker = std::env::var("RUSTC_LINKER").is_ok_and(|linker| linker.contains("lld"));
            for word in ["-install_name", "@rpath/libtacet.dylib"] {
                println!("cargo::rustc-cdylib-link-arg={}{word}", if is_linker { "" } else { "-Wl," });
            }
        }
        _ => {}
    }
}

/// Writes `inter.zlib` for the panel: half the size.
fn compress_typeface() -> io::Result<()> {
    let out_dir = std::env::var_os("OUT_DIR").map(PathBuf::from);
    let out_dir = out_dir.ok_or_else(|| io::Error::other("OUT_DIR is not set: run cargo"))?;
    let mut compressed = ZlibEncoder::new(ttf_inter::REGULAR, Compression::best());
    io::copy(&mut compressed, &mut File::create(out_dir.join("inter.zlib"))?)?;
    Ok(())
}
