//! Models that are not embedded: where they lie, reading and installing them. Never on the audio thread.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tacet_model::{Model, ModelError, ModelKind};
use tacet_torch_pack::locate::{BUNDLED_MODELS_DIR, folders_of, user_models_dir};

pub use tacet_torch_pack::locate::system_models_dirs;

use crate::engine::torch::current_module;
use crate::user_files;
use crate::weights;

/// Names a directory with models and overrules the per-user one.
pub const MODELS_VARIABLE: &str = "TACET_MODELS_DIR";

/// The folder of models that are not embedded: the one that `TACET_MODELS_DIR` names, else `tacet/models` in
/// the per-user data directory. `None` without a home directory.
pub fn models_dir() -> Option<PathBuf> {
    match std::env::var_os(MODELS_VARIABLE).filter(|dir| !dir.is_empty()) {
        Some(dir) => Some(dir.into()),
        None => user_models_dir(),
    }
}

/// Every folder in which models are looked for, in order: the one that `TACET_MODELS_DIR` names, alone; else the per-user
/// one, those inside and beside the bundle that holds this program or plugin, and the system's. One file serves all
/// formats.
pub fn dirs() -> Vec<PathBuf> {
    let named = std::env::var_os(MODELS_VARIABLE).is_some_and(|dir| !dir.is_empty());
    let user = models_dir().into_iter();
    if named {
        return user.collect();
    }
    let module = current_module();
    let bundled = module.iter().flat_map(|module| folders_of(module, BUNDLED_MODELS_DIR));
    user.chain(bundled).chain(system_models_dirs()).collect()
}

/// The file of an installed model: converted, or the official archive.
pub fn installed(kind: ModelKind) -> Option<PathBuf> {
    installed_in(&dirs(), kind)
}

fn installed_in(dirs: &[PathBuf], kind: ModelKind) -> Option<PathBuf> {
    let names = [kind.safetensors_file(), kind.archive_file()];
    dirs.iter().flat_map(|dir| names.map(|name| dir.join(name))).find(|file| file.is_file())
}

/// Says that a model is not installed, with the command that gets it.
pub fn missing(kind: ModelKind) -> String {
    match kind {
        ModelKind::DeepFilterNet3Ll => format!("{kind} is not installed: `tacet model install ll` gets it"),
        ModelKind::DeepFilterNet3 => {
            let dir = models_dir().map_or("the data directory".into(), |dir| dir.display().to_string());
            format!("{kind} is not installed: put {} into {dir}", kind.archive_file())
        }
    }
}

/// Converts an official archive, its large matrices rounded to 16 bits, and puts it into `dir`, whole or not at all;
/// gives the file.
///
/// # Errors
/// The bytes are not the official archive, or what the file system says, as text.
pub fn install(kind: ModelKind, archive: &[u8], dir: &Path) -> Result<PathBuf, InstallError> {
    kind.check_archive(archive)?;
    let file = dir.join(kind.safetensors_file());
    user_files::write(&file, &Model::from_archive(archive)?.to_rounded_safetensors()?)
        .map_err(|source| InstallError::File { path: file.clone(), source })?;
    Ok(file)
}

/// Why a model could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It is not what it should be.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The file system.
    #[error("{}: {source}; check the space and the rights there", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Its message.
        source: std::io::Error,
    },
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
    fn the_first_folder_that_has_a_model_counts_whatever_its_form() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = ["user", "bundle", "system"].map(|name| dir.path().join(name));
        let ll = ModelKind::DeepFilterNet3Ll;
        assert_eq!(installed_in(&dirs, ll), None);
        for (dir, name) in dirs.iter().zip([ll.archive_file(), ll.safetensors_file(), "x"]).rev() {
            std::fs::create_dir(dir).unwrap();
            std::fs::write(dir.join(name), "").unwrap();
        }
        assert_eq!(installed_in(&dirs, ll), Some(dirs[0].join(ll.archive_file())));
        assert_eq!(installed_in(&dirs[1..], ll), Some(dirs[1].join(ll.safetensors_file())));
        assert_eq!(installed_in(&dirs[2..], ll), None);
        assert_eq!(installed_in(&dirs, ModelKind::DeepFilterNet3), None);
    }

    #[test]
    fn only_the_official_archive_is_installed() {
        let dir = tempfile::tempdir().unwrap();
        let error = install(ModelKind::DeepFilterNet3Ll, b"another", dir.path()).unwrap_err().to_string();
        assert!(error.contains(ModelKind::DeepFilterNet3Ll.archive_sha256()), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(missing(ModelKind::DeepFilterNet3Ll).contains("tacet model install ll"));
    }
}
