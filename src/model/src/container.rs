//! The converted model: a safetensors file whose metadata holds the configuration and a checksum per tensor.
//!
//! Weights are stored exactly, or the large matrices as 16-bit integers with a scale per row, in half the space. Read,
//! they are floats again.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use configparser::ini::Ini;
use flate2::Crc;
use safetensors::{Dtype, SafeTensors, View};

use crate::config::read_ini;
use crate::{Config, Layout, Model, ModelError, Tensor, rounding};

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

/// Follows the name of a matrix in that of its scales.
const SCALES_SUFFIX: &str = ".scales";
/// Matrices of at least so many values are stored as 16-bit integers, where that is wanted.
const MIN_ROUNDED: usize = 512;

/// How the large matrices are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// As they are.
    Exact,
    /// As 16-bit integers with a scale per row: the largest weight of a row is exact, the others are off by at most 1/65534
    /// of it.
    Rounded,
}

pub(crate) fn write(model: &Model, storage: Storage) -> Result<Vec<u8>, ModelError> {
    let mut tensors = Vec::new();
    for (name, tensor) in model.tensors() {
        if storage == Storage::Rounded && is_large_matrix(tensor) {
            let (integers, scales) = rounded(tensor);
            tensors.push((name.to_owned(), integers));
            tensors.push((format!("{name}{SCALES_SUFFIX}"), scales));
        } else {
            tensors.push((name.to_owned(), Stored::floats(tensor.shape.clone(), &tensor.data)));
        }
    }
    let mut text = model.config.to_ini();
    text += &format!("\n[{SOURCE_SECTION}]\n{SHA256_KEY} = {}\n\n[{CRC_SECTION}]\n", model.source_sha256());
    for (name, tensor) in &tensors {
        text += &format!("{name} = {:08x}\n", crc32(&tensor.bytes));
    }
    let text_crc = crc32(text.as_bytes());
    text += &format!("{TEXT_CRC}{text_crc:08x}\n");
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), text)]);
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
    let is_rounded = |name: &str| header.info(name).is_some_and(|info| info.dtype == Dtype::I16);
    for name in header.offset_keys() {
        if name.strip_suffix(SCALES_SUFFIX).is_some_and(is_rounded) {
            continue;
        }
        let (Some(info), Some(expected)) = (header.info(&name), layout.shape(&name)) else {
            return Err(ModelError::UnknownTensor { tensor: name });
        };
        if !matches!(info.dtype, Dtype::F32 | Dtype::I16) {
            return Err(damaged(format!("tensor {name} is of type {:?}, not F32 or I16", info.dtype)));
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
        let values = if info.dtype == Dtype::F32 {
            floats(stored)
        } else {
            let scales = format!("{name}{SCALES_SUFFIX}");
            let n_rows = info.shape.iter().rev().skip(1).product::<usize>();
            let found =
                header.info(&scales).filter(|info| info.dtype == Dtype::F32 && info.shape == [n_rows]);
            let found = found.ok_or_else(|| damaged(format!("tensor {name} has no scales")))?;
            let scales_stored = &data[found.data_offsets.0..found.data_offsets.1];
            check_crc(&ini, &scales, scales_stored)?;
            unrounded(stored, &floats(scales_stored))
        };
        tensors.insert(name, Tensor { shape: info.shape.clone(), data: values });
    }
    Model::new(config, source_sha256, tensors)
}

/// Little-endian floats. Trailing bytes that make no whole float are ignored; callers have checked the length.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

/// Whether a tensor is one of those that hold nearly all of a model's weights: the recurrent layers' matrices.
fn is_large_matrix(tensor: &Tensor) -> bool {
    tensor.shape.len() == 2 && tensor.shape.iter().all(|&n| n >= 8) && tensor.data.len() >= MIN_ROUNDED
}

/// A matrix as integers, and the scales of its rows.
fn rounded(tensor: &Tensor) -> (Stored, Stored) {
    let n_columns = tensor.shape.last().copied().unwrap_or(1).max(1);
    let rows = || tensor.data.chunks_exact(n_columns);
    let scales: Vec<f32> = rows().map(rounding::row_scale).collect();
    let integers = rows()
        .zip(&scales)
        .flat_map(|(row, scale)| row.iter().map(move |weight| rounding::rounded(*weight, *scale)));
    let bytes = integers.flat_map(i16::to_le_bytes).collect();
    let integers = Stored { dtype: Dtype::I16, shape: tensor.shape.clone(), bytes };
    (integers, Stored::floats(vec![scales.len()], &scales))
}

/// The inverse, as far as rounding goes.
fn unrounded(integers: &[u8], scales: &[f32]) -> Vec<f32> {
    let (integers, _) = integers.as_chunks::<2>();
    let rows = integers.chunks_exact((integers.len() / scales.len().max(1)).max(1));
    let row = |(row, scale): (&[[u8; 2]], &f32)| {
        let scale = *scale;
        row.iter().map(move |integer| f32::from(i16::from_le_bytes(*integer)) * scale).collect::<Vec<_>>()
    };
    rows.zip(scales).flat_map(row).collect()
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
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn floats(shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: Dtype::F32, shape, bytes }
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.bytes.as_slice().into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
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
    fn rounded_matrices_take_half_the_space_and_come_back_within_half_a_step() {
        let model = small_model();
        let (exact, rounded) = (model.to_safetensors().unwrap(), model.to_rounded_safetensors().unwrap());
        let read = Model::from_safetensors(&rounded).unwrap();
        assert_eq!(read.source_sha256(), model.source_sha256());
        let mut n_saved = 0;
        for ((name, tensor), (_, expected)) in read.tensors().zip(model.tensors()) {
            assert_eq!(tensor.shape, expected.shape);
            if !is_large_matrix(expected) {
                assert_eq!(tensor, expected, "{name}");
                continue;
            }
            let n_columns = *tensor.shape.last().unwrap();
            n_saved += 2 * tensor.data.len() - 4 * tensor.data.len() / n_columns;
            for (row, expected) in tensor.data.chunks(n_columns).zip(expected.data.chunks(n_columns)) {
                let largest = expected.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
                let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= largest * 1.01 / 65_534.0;
                assert!(row.iter().zip(expected).all(is_near), "{name}");
            }
        }
        assert!(n_saved > 0, "the small model has a matrix that is large enough");
        assert!(rounded.len().abs_diff(exact.len() - n_saved) < 4096);
    }

    #[test]
    fn scales_that_are_missing_or_altered_are_noticed() {
        let model = small_model();
        let bytes = model.to_rounded_safetensors().unwrap();
        let altered = |from: &str, to: &str| {
            let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
            let mut altered = bytes.clone();
            altered[at..at + from.len()].copy_from_slice(to.as_bytes());
            Model::from_safetensors(&altered).unwrap_err().to_string()
        };
        // The first name in the header; safetensors itself refuses what its checks find.
        let error = altered(".scales\":", ".scaled\":");
        assert!(error.contains("scale"), "{error}");
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
        let tensor = Stored::floats(vec![2], &[1.0, 2.0]);
        let bytes = safetensors::serialize([("enc.lsnr_fc.b", tensor)], None).unwrap();
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
