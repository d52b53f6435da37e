//! Tells the linker to keep the plugin in memory.

fn main() {
    // Set by `tests/concurrency`, which compiles some of these sources with loom's primitives.
    println!("cargo::rustc-check-cfg=cfg(loom)");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        // A host's thread that has been in the plugin runs the standard library's clean-up in it when it ends, which may
        // be after the host has closed the plugin: the code has to be there still.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
