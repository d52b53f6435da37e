//! Finds the model that `--model` or `TACET_MODEL` names and packs it for the native engine, once for all files.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tacet_realtime::engine::native::{NativeEngine, NativeModel};
use tacet_realtime::model::{Model, ModelKind};
use tacet_realtime::{models, weights};

/// A model ready to run.
pub struct LoadedModel {
    /// As reports show it: a published model's name, else the path.
    pub name: String,
    model: Model,
    packed: Arc<NativeModel>,
}

impl LoadedModel {
    /// A fresh engine; the weights are shared.
    pub fn engine(&self) -> Box<NativeEngine> {
        Box::new(NativeEngine::new(Arc::clone(&self.packed)))
    }

    /// The weights as the native engine wants them.
    pub fn packed(&self) -> Arc<NativeModel> {
        Arc::clone(&self.packed)
    }

    /// The weights as they are, for other engines.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Loads the model that the option names, else that of `TACET_MODEL`, else the embedded one.
    ///
    /// # Errors
    /// The name means nothing, the low-latency model is not installed, or the file is no model; with the next step.
    pub fn load(option: Option<&str>) -> Result<Self> {
        let choice = choice(option);
        let model = by_name(choice.as_deref())?;
        let name = match (model.official(), choice.as_deref()) {
            (Some(kind), _) => kind.id(),
            (None, Some(choice)) => choice,
            (None, None) => "embedded",
        };
        let name = name.to_owned();
        let packed = NativeModel::new(&model)?;
        Ok(Self { name, model, packed })
    }
}

/// The model that the option names, else that of `TACET_MODEL`, else the embedded one.
///
/// # Errors
/// As [`LoadedModel::load`].
pub fn find(option: Option<&str>) -> Result<Model> {
    by_name(choice(option).as_deref())
}

fn by_name(choice: Option<&str>) -> Result<Model> {
    let Some(name) = choice else { return Ok(weights::embedded()?) };
    match ModelKind::ALL.into_iter().find(|kind| kind.id().eq_ignore_ascii_case(name)) {
        Some(kind) => published(kind),
        None => from_path(name),
    }
}

fn choice(option: Option<&str>) -> Option<String> {
    option.map(str::to_owned).or_else(|| std::env::var("TACET_MODEL").ok()).filter(|name| !name.is_empty())
}

/// A published model by name: the embedded one, an installed one, or what `cargo xtask setup` fetched beside this build.
fn published(kind: ModelKind) -> Result<Model> {
    let embedded = weights::embedded()?;
    if embedded.official() == Some(kind) {
        return Ok(embedded);
    }
    let fetched = Path::new(tacet_realtime::weights::FETCHED_DIR).join(kind.safetensors_file());
    match models::installed(kind).or_else(|| fetched.is_file().then_some(fetched)) {
        Some(path) => Ok(Model::from_file(&path)?),
        None => bail!("{}, or pass the path of its archive, {}", models::missing(kind), kind.archive_file()),
    }
}

fn from_path(name: &str) -> Result<Model> {
    if !Path::new(name).exists() {
        let [dfn3, ll] = ModelKind::ALL;
        bail!("there is no model called {name}, and no such file; name {dfn3}, {ll}, or an archive's path");
    }
    Model::from_file(Path::new(name)).with_context(|| format!("model {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case() {
        for choice in [None, Some("DeepFilterNet3"), Some("deepfilternet3")] {
            assert_eq!(LoadedModel::load(choice).unwrap().name, "DeepFilterNet3");
        }
    }

    #[test]
    fn an_unknown_name_says_which_there_are() {
        let error = LoadedModel::load(Some("DeepFilterNet9")).err().unwrap().to_string();
        for part in ["DeepFilterNet9", "DeepFilterNet3", "DeepFilterNet3_ll", "archive"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_model_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no model").unwrap();
        let name = file.path().to_str().unwrap();
        let error = format!("{:#}", LoadedModel::load(Some(name)).err().unwrap());
        assert!(error.contains(name) && error.contains("neither a model archive"), "{error}");
    }
}
