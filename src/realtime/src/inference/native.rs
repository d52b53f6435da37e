//! Opens engines of this library's own, on the weights of the build; a model is packed once and shared.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

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
    static KNOWN: Mutex<Vec<(ModelKind, usize)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock();
    if let Some((_, hops)) = known.iter().find(|(other, _)| *other == kind) {
        return Ok(*hops);
    }
    let hops = model_of_kind(kind)?.config.lookahead();
    known.push((kind, hops));
    Ok(hops)
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
