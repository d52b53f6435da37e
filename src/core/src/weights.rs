//! The embedded model, and models from files. Loading allocates and reads files: never on the audio thread.

use std::path::{Path, PathBuf};

use crate::model::{Model, ModelError, ModelKind};

/// Aligns the embedded file to a cache line.
#[repr(C, align(64))]
struct CacheAligned<T: ?Sized>(T);

/// The converted model that the build script found and checked.
static EMBEDDED: &CacheAligned<[u8]> = &CacheAligned(*include_bytes!(env!("TACET_WEIGHTS")));

/// The model of the build: DeepFilterNet3, unless `TACET_MODEL` named another.
///
/// # Errors
/// [`ModelError`] if the binary was altered after the build.
pub fn embedded() -> Result<Model, ModelError> {
    Model::from_safetensors(&EMBEDDED.0)
}

/// A model from a file, an official or fine-tuned archive (`*_onnx.tar.gz`) or a converted model (`*.safetensors`); the
/// content decides, not the name.
///
/// # Errors
/// [`ModelError`] naming the file, what is wrong with it, and the next step.
pub fn load(path: &Path) -> Result<Model, ModelError> {
    Model::from_file(path)
}

/// Where `cargo xtask setup` left fetched models for the build of this binary.
pub const FETCHED_DIR: &str = env!("TACET_MODEL_DIR");

/// Names a directory with models and overrules the per-user one.
pub const MODELS_VARIABLE: &str = "TACET_MODELS_DIR";

/// Where models that are not embedded are looked for: the directory that `TACET_MODELS_DIR` names, else `tacet/models` in
/// the per-user data directory. `None` without a home directory.
pub fn models_dir() -> Option<PathBuf> {
    match std::env::var_os(MODELS_VARIABLE).filter(|dir| !dir.is_empty()) {
        Some(dir) => Some(dir.into()),
        None => Some(dirs::data_local_dir()?.join("tacet").join("models")),
    }
}

/// The file of an installed model: converted, or the official archive.
pub fn installed(kind: ModelKind) -> Option<PathBuf> {
    let dir = models_dir()?;
    [kind.safetensors_file(), kind.archive_file()]
        .map(|name| dir.join(name))
        .into_iter()
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_model_is_aligned_and_complete() {
        assert_eq!(EMBEDDED.0.as_ptr() as usize % 64, 0);
        let model = embedded().unwrap();
        if option_env!("TACET_MODEL").is_none() {
            assert_eq!(model.official(), Some(ModelKind::DeepFilterNet3));
        }
    }

    #[test]
    fn a_missing_file_is_named_with_the_next_step() {
        let error = load(Path::new("no/such/model.tar.gz")).unwrap_err().to_string();
        assert!(error.contains("no/such/model.tar.gz"), "{error}");
        assert!(error.contains("check the path"), "{error}");
    }
}
