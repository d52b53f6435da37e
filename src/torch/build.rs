//! Compiles the C++ shim against the libtorch that `LIBTORCH` names, and lets the library find its neighbours.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=shim/shim.cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if env::var_os("CARGO_FEATURE_DOC_ONLY").is_some() {
        return;
    }
    let libtorch = PathBuf::from(env::var_os("LIBTORCH").expect(
        "LIBTORCH is not set: run `cargo xtask torch`, which fetches a libtorch and builds this crate",
    ));
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(libtorch.join("include"))
        .include(libtorch.join("include/torch/csrc/api/include"))
        .file("shim/shim.cpp")
        .compile("tacet_shim");
    // The pack keeps all libraries in one folder. Tests run against the libtorch they were linked with.
    let lib = libtorch.join("lib");
    match os.as_str() {
        "linux" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-rpath,$ORIGIN");
            println!("cargo:rustc-link-arg-tests=-Wl,-rpath,{}", lib.display());
        }
        "macos" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-rpath,@loader_path");
            println!("cargo:rustc-link-arg-tests=-Wl,-rpath,{}", lib.display());
        }
        _ => {}
    }
}
