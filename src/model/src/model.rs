//! A model: its configuration and its tensors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::archive::Archive;
use crate::container::Storage;
use crate::kind::sha256_hex;
use crate::{Config, Layout, ModelError, ModelKind, container, onnx};

/// Most bytes of a model file, archive or converted. The largest published model has 39 MB converted.
pub const MAX_FILE_BYTES: u64 = 128 << 20;

/// Weights of one layer, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Values, the last axis fastest. All are finite.
    pub data: Vec<f32>,
}

/// A DeepFilterNet3 model: every tensor that its configuration implies is there, with the implied shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its `config.ini`.
    pub config: Config,
    source_sha256: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Model {
    /// Reads a model archive: a gzip'd tar with `enc.onnx`, `erb_dec.onnx`, `df_dec.onnx` and `config.ini`.
    ///
    /// # Errors
    /// Any [`ModelError`] about archives, configuration, graphs and tensors.
    pub fn from_archive(bytes: &[u8]) -> Result<Self, ModelError> {
        let archive = Archive::read(bytes)?;
        let config = Config::from_ini(&archive.config)?;
        let layout = Layout::new(&config);
        let mut tensors = BTreeMap::new();
        for (graph, data) in [("enc", archive.enc), ("erb_dec", archive.erb_dec), ("df_dec", archive.df_dec)]
        {
            onnx::read_graph(graph, data, &layout, &mut tensors)?;
        }
        Self::new(config, sha256_hex(bytes), tensors)
    }

    /// Reads what [`to_safetensors`](Self::to_safetensors) wrote: one bulk copy per tensor, checksums verified.
    ///
    /// # Errors
    /// Any [`ModelError`] about converted models, configuration and tensors.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelError> {
        container::read(bytes)
    }

    /// Reads an archive or a converted model, whichever the content is.
    ///
    /// # Errors
    /// [`ModelError::Foreign`] for other content, else those of the two readers.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
        if bytes.starts_with(&GZIP_MAGIC) {
            Self::from_archive(bytes)
        } else if bytes.get(container::HEADER_OFFSET) == Some(&b'{') {
            Self::from_safetensors(bytes)
        } else {
            Err(ModelError::Foreign)
        }
    }

    /// A model from a file, an official or fine-tuned archive (`*_onnx.tar.gz`) or a converted model (`*.safetensors`); the
    /// content decides, not the name.
    ///
    /// # Errors
    /// [`ModelError::Read`] from the file system; else what [`from_bytes`](Self::from_bytes) says, with the path.
    pub fn from_file(path: &Path) -> Result<Self, ModelError> {
        let unreadable =
            |error: std::io::Error| ModelError::Read { path: path.into(), reason: error.to_string() };
        let in_file = |problem| ModelError::File { path: path.into(), problem: Box::new(problem) };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(in_file(ModelError::TooLarge {
                what: "the file".into(),
                limit_mib: MAX_FILE_BYTES >> 20,
            }));
        }
        Self::from_bytes(&bytes).map_err(in_file)
    }

    /// Writes the model as one safetensors file: tensors under their canonical names, configuration and checksums in
    /// the metadata. The same model gives the same bytes.
    ///
    /// # Errors
    /// [`ModelError::Safetensors`] if the header cannot be made.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        container::write(self, Storage::Exact)
    }

    /// As [`to_safetensors`](Self::to_safetensors), compressed: the same weights in less space, which take a moment longer to
    /// read.
    ///
    /// # Errors
    /// As above.
    pub fn to_compressed_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        container::write(self, Storage::Compressed)
    }

    /// As [`to_safetensors`](Self::to_safetensors), with the large matrices rounded to 16 bits: half the space. Output of
    /// DeepFilterNet3_ll differs by -86 dB.
    ///
    /// # Errors
    /// As above.
    pub fn to_rounded_safetensors(&self) -> Result<Vec<u8>, ModelError> {
        container::write(self, Storage::Rounded)
    }

    /// A tensor by canonical name.
    ///
    /// # Errors
    /// [`ModelError::MissingTensor`] for a name that the model's [`Layout`] does not have.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, ModelError> {
        self.tensors.get(name).ok_or_else(|| ModelError::MissingTensor { tensor: name.into() })
    }

    /// All tensors, in the order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// SHA-256 of the archive that the model came from, lower-case hexadecimal.
    pub(crate) fn source_sha256(&self) -> &str {
        &self.source_sha256
    }

    /// The published model that this is, unchanged; `None` for a fine-tuned one.
    pub fn official(&self) -> Option<ModelKind> {
        ModelKind::ALL.into_iter().find(|kind| kind.archive_sha256() == self.source_sha256)
    }

    /// Puts a model together, once every tensor is there with a valid shape and finite values.
    pub(crate) fn new(
        config: Config,
        source_sha256: String,
        tensors: BTreeMap<String, Tensor>,
    ) -> Result<Self, ModelError> {
        let layout = Layout::new(&config);
        for (name, shape) in layout.iter() {
            let tensor =
                tensors.get(name).ok_or_else(|| ModelError::MissingTensor { tensor: name.into() })?;
            if tensor.shape != shape {
                return Err(ModelError::Shape {
                    tensor: name.into(),
                    expected: shape.to_vec(),
                    found: tensor.shape.clone(),
                });
            }
            // Without early exit, so that the compiler vectorises it.
            if !tensor.data.iter().fold(true, |finite, value| finite & value.is_finite()) {
                return Err(ModelError::NotFinite { tensor: name.into() });
            }
        }
        if let Some(name) = tensors.keys().find(|name| layout.shape(name).is_none()) {
            return Err(ModelError::UnknownTensor { tensor: name.clone() });
        }
        Ok(Self { config, source_sha256, tensors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_the_next_step() {
        let error = Model::from_file(Path::new("no/such/model.tar.gz")).unwrap_err().to_string();
        assert!(error.contains("no/such/model.tar.gz"), "{error}");
        assert!(error.contains("check the path"), "{error}");
    }
}
