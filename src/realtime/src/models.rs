//! Models that are not embedded: where they lie, and reading them. Never on the audio thread.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tacet_model::{Model, ModelError, ModelKind};

use crate::user_files::data_dir;
use crate::weights;

/// A model from a file, an official or fine-tuned archive (`*_onnx.tar.gz`) or a converted model (`*.safetensors`); the
/// content decides, not the name.
///
/// # Errors
/// [`ModelError`] naming the file, what is wrong with it, and the next step.
pub fn load(path: &Path) -> Result<Model, ModelError> {
    Model::from_file(path)
}

/// Names a directory with models and overrules the per-user one.
pub const MODELS_VARIABLE: &str = "TACET_MODELS_DIR";

/// Where models that are not embedded are looked for: the directory that `TACET_MODELS_DIR` names, else `tacet/models` in
/// the per-user data directory. `None` without a home directory.
pub fn models_dir() -> Option<PathBuf> {
    match std::env::var_os(MODELS_VARIABLE).filter(|dir| !dir.is_empty()) {
        Some(dir) => Some(dir.into()),
        None => Some(data_dir()?.join("models")),
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

/// The kind of the embedded model: a build may embed another than the published one.
pub fn embedded_kind() -> ModelKind {
    static KIND: OnceLock<ModelKind> = OnceLock::new();
    *KIND.get_or_init(|| weights::embedded().map_or(ModelKind::DeepFilterNet3, |model| model.config.kind))
}

/// The wanted model, or the embedded one where that is not installed. Reads the file system.
pub fn available(wanted: ModelKind) -> ModelKind {
    let embedded = embedded_kind();
    let is_available = wanted == embedded || installed(wanted).is_some();
    if is_available { wanted } else { embedded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_the_next_step() {
        let error = load(Path::new("no/such/model.tar.gz")).unwrap_err().to_string();
        assert!(error.contains("no/such/model.tar.gz"), "{error}");
        assert!(error.contains("check the path"), "{error}");
    }
}
