//! The converted model: a safetensors file whose metadata holds the configuration and a checksum per tensor.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use configparser::ini::Ini;
use flate2::Crc;
use safetensors::{Dtype, SafeTensors, View};

use crate::config::read_ini;
use crate::{Config, Layout, Model, ModelError, Tensor};

/// Where the JSON header starts: after its length, 8 bytes.
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

pub(crate) fn write(model: &Model) -> Result<Vec<u8>, ModelError> {
    let mut text = model.config.to_ini();
    text += &format!("\n[{SOURCE_SECTION}]\n{SHA256_KEY} = {}\n\n[{CRC_SECTION}]\n", model.source_sha256());
    for (name, tensor) in model.tensors() {
        text += &format!("{name} = {:08x}\n", crc32(&Stored(tensor).data()));
    }
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
