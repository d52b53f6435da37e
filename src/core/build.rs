//! Finds the model that the library embeds and tells the compiler where it lies.
//!
//! `TACET_MODEL` names an archive or a converted model, from the workspace's root; without it, `cargo xtask setup` has left
//! the official one in `model/` of the target directory. The library reads it: a build script that did would have all that
//! reading needs compiled a second time.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

/// `tacet_model::ModelKind::safetensors_file` of the official model, as a test of `weights` checks.
const OFFICIAL: &str = "DeepFilterNet3.safetensors";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=TACET_MODEL");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    // Cargo prints it as one line and stops the build.
    if let Err(error) = embed() {
        println!("cargo::error={error}");
    }
}

/// Hands the crate the embedded model's path as `TACET_WEIGHTS` and the fetched files' directory as `TACET_MODEL_DIR`.
fn embed() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run cargo")?);
    let package =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set: run cargo")?);
    let model_dir = model_dir(&out_dir, &package);
    let weights = match env::var_os("TACET_MODEL") {
        Some(named) => package.join("../..").join(named),
        None => model_dir.join(OFFICIAL),
    };
    // A path that does not exist makes cargo run this script again next time, which is what a repair needs.
    println!("cargo::rerun-if-changed={}", weights.display());
    if !weights.is_file() {
        let next = "run `cargo xtask setup`, or set TACET_MODEL to an archive";
        return Err(format!("the model is not here ({}): {next}", weights.display()).into());
    }
    println!("cargo::rustc-env=TACET_WEIGHTS={}", weights.display());
    println!("cargo::rustc-env=TACET_MODEL_DIR={}", model_dir.display());
    Ok(())
}

/// `model/` of the target directory: above `OUT_DIR`, whatever `CARGO_TARGET_DIR`, the configuration or `--target` made
/// of it, or where a build directory apart hides it, the directory that `CARGO_TARGET_DIR` names, or `target`.
fn model_dir(out_dir: &Path, package: &Path) -> PathBuf {
    let named = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let default = package.join(named).join("model");
    // OUT_DIR is TARGET/[TRIPLE/]PROFILE/build/PACKAGE/out.
    let above = out_dir.ancestors().skip(4).take(2).map(|target| target.join("model"));
    above.into_iter().find(|dir| dir.is_dir()).unwrap_or(default)
}
