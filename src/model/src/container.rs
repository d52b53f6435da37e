//! The converted model: a safetensors file whose metadata holds the configuration and a checksum per tensor.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use configparser::ini::Ini;
use flate2::Crc;
use safetensors::{Dtype, SafeTensors, View};

use crate::config::read_ini;
use crate::{Config, Layout, Model, ModelError, Tensor};

/// Offset of the JSON header: after its length, 8 bytes.
pub(crate) const HEADER_OFFSET: usize = 8;

/// The one metadata entry: INI text with the configuration and the sections below. One entry, because the order of
/// several would change from run to run.
const METADATA_KEY: &str = "tacet";
/// Section that names the archive.
const SOURCE_SECTION: &str = "source";
/// Its key: SHA-256 of the archive.
const SHA256_KEY: &str = "sha256";
/// Section with the CRC-32 of every tensor's bytes, in hexadecimal.
const CRC_SECTION: &str = "crc32";
/// Start of the last line, the CRC-32 of the text before it.
const TEXT_CRC: &str = "metadata = ";

pub(crate) fn write(model: &Model) -> Result<Vec<u8>, ModelError> {
    let mut text = model.config.to_ini();
    text += &format!("\n[{SOURCE_SECTION}]\n{SHA256_KEY} = {}\n\n[{CRC_SECTION}]\n", model.source_sha256());
    for (name, tensor) in model.tensors() {
        text += &format!("{name} = {:08x}\n", crc32(&Stored(tensor).data()));
    }
    let text_crc = crc32(text.as_bytes());
    text += &format!("{TEXT_CRC}{text_crc:08x}\n");
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), text)]);
    let tensors = model.tensors().map(|(name, tensor)| (name, Stored(tensor)));
    safetensors::serialize(tensors, Some(metadata)).map_err(|error| damaged(error.to_string()))
}

pub(crate) fn read(bytes: &[u8]) -> Result<Model, ModelError> {
    let (header_len, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    // The header's reader has checked that the tensors tile exactly the bytes that follow it.
    let data = &bytes[HEADER_OFFSET + header_len..];
    let text = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
    let text = text.ok_or_else(|| damaged("it was not written by Tacet".into()))?;
    check_text(text)?;
    let ini = read_ini(text)?;
    let config = Config::from_sections(&ini)?;
    let source_sha256 =
        ini.get(SOURCE_SECTION, SHA256_KEY).ok_or_else(|| damaged("its source is unknown".into()))?;

    let layout = Layout::new(&config);
    let mut tensors = BTreeMap::new();
    for name in header.offset_keys() {
        let (Some(info), Some(expected)) = (header.info(&name), layout.shape(&name)) else {
            return Err(ModelError::UnknownTensor { tensor: name });
        };
        if info.dtype != Dtype::F32 {
            return Err(damaged(format!("tensor {name} is of type {:?}, not F32", info.dtype)));
        }
        // Before the copy, so that a wrong header never allocates.
        if info.shape != expected {
            return Err(ModelError::Shape {
                tensor: name,
                expected: expected.to_vec(),
                found: info.shape.clone(),
            });
        }
        let stored = &data[info.data_offsets.0..info.data_offsets.1];
        check_crc(&ini, &name, stored)?;
        tensors.insert(name, Tensor { shape: info.shape.clone(), data: floats(stored) });
    }
    Model::new(config, source_sha256, tensors)
}

/// Little-endian floats. Trailing bytes that make no whole float are ignored; callers have checked the length.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

fn check_text(text: &str) -> Result<(), ModelError> {
    let (checked, crc) =
        text.rsplit_once(TEXT_CRC).ok_or_else(|| damaged("its metadata has no checksum".into()))?;
    if crc.trim_end() == format!("{:08x}", crc32(checked.as_bytes())) {
        Ok(())
    } else {
        Err(damaged("its metadata was altered".into()))
    }
}

fn check_crc(ini: &Ini, name: &str, stored: &[u8]) -> Result<(), ModelError> {
    let expected = ini.get(CRC_SECTION, name).and_then(|text| u32::from_str_radix(&text, 16).ok());
    let expected = expected.ok_or_else(|| damaged(format!("tensor {name} has no checksum")))?;
    let found = crc32(stored);
    if found == expected {
        Ok(())
    } else {
        Err(ModelError::Checksum { tensor: name.into(), expected, found })
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn damaged(reason: String) -> ModelError {
    ModelError::Safetensors { reason }
}

/// A tensor as the file stores it: little-endian.
struct Stored<'a>(&'a Tensor);

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.data.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>().into()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.0.data.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::small_model;

    #[test]
    fn a_model_survives_conversion_and_converts_to_the_same_bytes() {
        let model = small_model();
        let bytes = model.to_safetensors().unwrap();
        let read = Model::from_safetensors(&bytes).unwrap();
        assert_eq!(read, model);
        assert_eq!(read.to_safetensors().unwrap(), bytes);
    }

    #[test]
    fn an_altered_weight_is_named() {
        let model = small_model();
        let mut bytes = model.to_safetensors().unwrap();
        // Tensors lie in the order of their names; the last byte is the last one's.
        let (name, _) = model.tensors().last().unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let error = Model::from_safetensors(&bytes).unwrap_err();
        assert!(matches!(&error, ModelError::Checksum { tensor, .. } if tensor == name), "{error}");
        assert!(error.to_string().contains("cargo xtask setup"), "{error}");
    }

    #[test]
    fn a_file_of_another_program_is_refused() {
        let tensor = Tensor { shape: vec![2], data: vec![1.0, 2.0] };
        let bytes = safetensors::serialize([("enc.lsnr_fc.b", Stored(&tensor))], None).unwrap();
        let error = Model::from_safetensors(&bytes).unwrap_err().to_string();
        assert!(error.contains("not written by Tacet"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn truncated_files_are_refused(cut in 0.0..1.0f64) {
            let bytes = small_model().to_safetensors().unwrap();
            let len = (cut * bytes.len() as f64) as usize;
            prop_assert!(Model::from_bytes(&bytes[..len]).is_err());
        }

        #[test]
        fn altered_files_are_refused_or_mean_the_same(at in 0.0..1.0f64, in_header: bool, mask in 1u8..) {
            let model = small_model();
            let mut bytes = model.to_safetensors().unwrap();
            let span = if in_header { 8192 } else { bytes.len() };
            bytes[(at * span as f64) as usize] ^= mask;
            if let Ok(read) = Model::from_bytes(&bytes) {
                prop_assert_eq!(read, model);
            }
        }

        #[test]
        fn random_bytes_are_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..4096), len in 0u16..5000) {
            prop_assert!(Model::from_safetensors(&bytes).is_err());
            // The same behind a plausible start.
            let start = u64::from(len).to_le_bytes().into_iter().chain(*b"{\"");
            bytes.splice(..0, start);
            prop_assert!(Model::from_bytes(&bytes).is_err());
        }
    }
}
