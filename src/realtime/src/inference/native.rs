//! Opens engines of this library's own, on the weights of the build; a model is packed once and shared.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use parking_lot::Mutex;
use tacet_model::ModelKind;

use super::EngineOpener;
use crate::engine::native::{NativeEngine, NativeModel, Precision, SimdLevel};
use crate::model::{Model, ModelError};
use crate::{models, weights};

/// Why the native engine has no weights.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// The model is not the embedded one and not installed.
    #[error("{}", models::missing(*kind))]
    NotInstalled {
        /// The model.
        kind: ModelKind,
    },
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Weights of a kind: the embedded model, which may be a user's own, or an installed one.
///
/// # Errors
/// The model is not installed, or not what it should be.
pub fn model_of_kind(kind: ModelKind) -> Result<Model, NativeError> {
    of_kind(kind, weights::embedded()?)
}

/// Hops of lookahead of the model of a kind: what its configuration says, whatever the published one has. Read once per
/// process.
///
/// # Errors
/// As [`model_of_kind`].
pub fn lookahead_hops(kind: ModelKind) -> Result<usize, NativeError> {
    known_lookahead(kind, || model_of_kind(kind))
}

fn known_lookahead(
    kind: ModelKind,
    read: impl FnOnce() -> Result<Model, NativeError>,
) -> Result<usize, NativeError> {
    static KNOWN: Mutex<Vec<(ModelKind, usize)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock();
    if let Some((_, hops)) = known.iter().find(|(other, _)| *other == kind) {
        return Ok(*hops);
    }
    let hops = read()?.config.lookahead();
    known.push((kind, hops));
    Ok(hops)
}

/// A model that can be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playable {
    /// The one that was wanted, or the embedded one.
    pub model: ModelKind,
    /// Its [hops of lookahead](lookahead_hops).
    pub lookahead_hops: usize,
    /// Why it is not the one that was wanted, without a full stop.
    pub refusal: Option<String>,
}

/// The wanted model, or the embedded one where that is not installed or cannot be read. Reads the file system: a model
/// once per process, and a file that is no model once for each of its states.
///
/// # Errors
/// The embedded one cannot be read either.
pub fn playable(wanted: ModelKind) -> Result<Playable, NativeError> {
    playable_of(wanted, models::installed(wanted))
}

fn playable_of(wanted: ModelKind, file: Option<PathBuf>) -> Result<Playable, NativeError> {
    let model = models::embedded_kind();
    if wanted == model {
        return Ok(Playable { model, lookahead_hops: lookahead_hops(model)?, refusal: None });
    }
    let read = file.map_or_else(|| Err(models::missing(wanted)), |file| lookahead_in(wanted, file));
    match read {
        Ok(lookahead_hops) => Ok(Playable { model: wanted, lookahead_hops, refusal: None }),
        Err(refusal) => {
            Ok(Playable { model, lookahead_hops: lookahead_hops(model)?, refusal: Some(refusal) })
        }
    }
}

/// The lookahead of the model in a file, or why it cannot be read.
fn lookahead_in(kind: ModelKind, file: PathBuf) -> Result<usize, String> {
    /// A file with its length and the time of its last change.
    type FileState = (PathBuf, Option<(u64, Option<SystemTime>)>);
    static REFUSED: Mutex<Option<(FileState, String)>> = Mutex::new(None);
    let metadata = file.metadata().ok().map(|metadata| (metadata.len(), metadata.modified().ok()));
    let state = (file, metadata);
    let mut refused = REFUSED.lock();
    if let Some((_, refusal)) = refused.as_ref().filter(|(before, _)| *before == state) {
        return Err(refusal.clone());
    }
    known_lookahead(kind, || Ok(Model::from_file(&state.0)?)).map_err(|error| {
        let refusal = error.to_string();
        *refused = Some((state, refusal.clone()));
        refusal
    })
}

fn of_kind(kind: ModelKind, embedded: Model) -> Result<Model, NativeError> {
    if embedded.config.kind == kind {
        return Ok(embedded);
    }
    let file = models::installed(kind).ok_or(NativeError::NotInstalled { kind })?;
    Ok(Model::from_file(&file)?)
}

/// Opens the native engines whose large matrices have this precision. Nothing is packed before an engine is asked for, and
/// all engines that live share what is packed.
pub fn opener(precision: Precision) -> EngineOpener {
    let packed = Mutex::new(HashMap::<ModelKind, Weak<NativeModel>>::new());
    Arc::new(move |model| {
        let mut packed = packed.lock();
        let native = match packed.get(&model).and_then(Weak::upgrade) {
            Some(native) => native,
            None => {
                let native = NativeModel::with(&model_of_kind(model)?, precision, SimdLevel::get())?;
                packed.insert(model, Arc::downgrade(&native));
                native
            }
        };
        Ok(Box::new(move |_| Ok(NativeEngine::new(native).into())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_model_is_played_where_a_file_is_missing_or_no_model() {
        let wanted = ModelKind::DeepFilterNet3Ll;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(wanted.safetensors_file());
        let played = |file: Option<&PathBuf>| playable_of(wanted, file.cloned()).unwrap();
        let embedded = playable(models::embedded_kind()).unwrap();
        assert_eq!(embedded.refusal, None);
        let mut refusals = vec![played(None).refusal.unwrap()];
        assert!(refusals[0].contains("tacet model install ll"), "{refusals:?}");
        // Nothing is kept of a file that has changed since; what has not changed is not read again.
        for content in ["a download that broke off", "and again, shorter", "and again, shorter"] {
            std::fs::write(&file, content).unwrap();
            let found = played(Some(&file));
            assert_eq!((found.model, found.lookahead_hops), (embedded.model, embedded.lookahead_hops));
            refusals.push(found.refusal.unwrap());
            assert_eq!(played(Some(&file)).refusal.as_ref(), refusals.last());
        }
        assert!(refusals[1].contains(wanted.safetensors_file()), "{refusals:?}");
    }
}
