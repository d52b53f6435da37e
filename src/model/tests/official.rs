//! The published archives, where `cargo xtask setup` has fetched them.

use std::path::{Path, PathBuf};

use tacet_model::{Layout, Model, ModelKind};

/// A fetched file, or `None` with the reason printed. With `TACET_REQUIRE_MODEL=1` a missing DeepFilterNet3 is a
/// failure; the low-latency model is fetched only when asked for.
fn fetched(kind: ModelKind) -> Option<Vec<u8>> {
    let path = model_dir().join(kind.archive_file());
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let required = std::env::var_os("TACET_REQUIRE_MODEL").is_some_and(|value| value == "1");
            assert!(!(required && kind == ModelKind::DeepFilterNet3), "{}: {error}", path.display());
            eprintln!("skipped: {}: {error}; `cargo xtask setup` fetches it", path.display());
            None
        }
    }
}

/// `model/` of the target directory, above this test's executable.
fn model_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let above = test.ancestors().skip(3).take(2).map(|target| target.join("model")).find(|dir| dir.is_dir());
    above.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/model"))
}

#[test]
fn the_published_archives_load_completely() {
    let sizes = [(ModelKind::DeepFilterNet3, 66, 2_134_641), (ModelKind::DeepFilterNet3Ll, 69, 9_739_761)];
    for (kind, n_tensors, n_parameters) in sizes {
        let Some(archive) = fetched(kind) else { continue };
        kind.check_archive(&archive).unwrap();
        let model = Model::from_bytes(&archive).unwrap();
        assert_eq!(model.config.kind, kind);
        assert_eq!(model.official(), Some(kind));
        assert_eq!(model.tensors().count(), n_tensors);
        let layout = Layout::new(&model.config);
        assert_eq!((layout.n_tensors(), layout.n_parameters()), (n_tensors, n_parameters));
        assert_eq!(model.config.norm_alpha, 0.99);
        // Batch normalisation is folded and training has happened: no layer is empty.
        for (name, tensor) in model.tensors() {
            assert!(tensor.data.iter().any(|value| value.abs() > 1e-4), "{name} is all zero");
        }
        assert_eq!(Model::from_bytes(&model.to_safetensors().unwrap()).unwrap(), model);
    }
}

#[test]
fn an_altered_published_archive_is_refused() {
    let Some(mut archive) = fetched(ModelKind::DeepFilterNet3) else { return };
    let middle = archive.len() / 2;
    archive[middle] ^= 0x10;
    assert!(ModelKind::DeepFilterNet3.check_archive(&archive).is_err());
    let error = Model::from_bytes(&archive).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}
