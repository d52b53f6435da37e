//! The embedded model. Loading allocates: never on the audio thread.

use tacet_model::{Model, ModelError};

/// Aligns the embedded file to a cache line.
#[repr(C, align(64))]
struct CacheAligned<T: ?Sized>(T);

/// The model that the build script found, converted or an archive.
static EMBEDDED: &CacheAligned<[u8]> = &CacheAligned(*include_bytes!(env!("TACET_WEIGHTS")));

/// The model of the build: DeepFilterNet3, unless `TACET_MODEL` named another.
///
/// # Errors
/// [`ModelError`] if what `TACET_MODEL` named is no model, or the binary was altered after the build.
pub fn embedded() -> Result<Model, ModelError> {
    Model::from_bytes(&EMBEDDED.0)
}

/// The folder of the models that `cargo xtask setup` fetched for the build of this binary.
pub const FETCHED_DIR: &str = env!("TACET_MODEL_DIR");

#[cfg(test)]
mod tests {
    use tacet_model::ModelKind;

    use super::*;

    #[test]
    fn the_embedded_model_is_aligned_and_complete() {
        assert_eq!(EMBEDDED.0.as_ptr() as usize % 64, 0);
        let model = embedded().unwrap();
        if option_env!("TACET_MODEL").is_none() {
            assert_eq!(model.official(), Some(ModelKind::DeepFilterNet3));
            assert!(env!("TACET_WEIGHTS").ends_with(ModelKind::DeepFilterNet3.safetensors_file()));
        }
    }
}
