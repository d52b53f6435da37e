//! The converted model: a safetensors file whose metadata holds the configuration and a checksum per tensor.
//!
//! Weights are stored exactly, as they are or compressed, or the large matrices as 16-bit integers with a scale per row,
//! in half the space. Read, they are floats again.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use configparser::ini::Ini;
use crc32fast::hash as crc32;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors, View};

use crate::config::read_ini;
use crate::{Config, Layout, Model, ModelError, Tensor, compressed, rounding};

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
/// Tensors of at least so many values are stored in less space, where that is wanted.
const MIN_SMALLER: usize = 512;
/// Threads that read tensors: the largest ten are alike, and more threads take longer to start than they save.
const MAX_READERS: usize = 4;

/// How the large matrices are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// As they are.
    Exact,
    /// Without loss in five sixths of the space, which takes a moment longer to read.
    Compressed,
    /// As 16-bit integers with a scale per row: the largest weight of a row is exact, the others are off by at most 1/65534
    /// of it.
    Rounded,
}

pub(crate) fn write(model: &Model, storage: Storage) -> Result<Vec<u8>, ModelError> {
    let mut tensors = Vec::new();
    for (name, tensor) in model.tensors() {
        let stored = match storage {
            Storage::Rounded if is_large_matrix(tensor) => {
                let (integers, scales) = rounded(tensor);
                tensors.push((format!("{name}{SCALES_SUFFIX}"), scales));
                integers
            }
            Storage::Compressed if tensor.data.len() >= MIN_SMALLER => {
                let bytes = compressed::compress(&tensor.data).map_err(|error| damaged(error.to_string()))?;
                Stored { dtype: Dtype::U8, shape: vec![bytes.len()], bytes }
            }
            _ => Stored::floats(tensor.shape.clone(), &tensor.data),
        };
        tensors.push((name.to_owned(), stored));
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
    let file = File { header: &header, data, ini: &ini };
    let is_rounded = |name: &str| header.info(name).is_some_and(|info| info.dtype == Dtype::I16);
    let is_scales = |name: &String| name.strip_suffix(SCALES_SUFFIX).is_some_and(is_rounded);
    let names = header.offset_keys().into_iter().filter(|name| !is_scales(name));
    // Before anything is copied, so that a wrong header never allocates.
    let wanted: Vec<Wanted<'_>> = names.map(|name| file.check(name, &layout)).collect::<Result<_, _>>()?;
    let tensors: Result<BTreeMap<_, _>, _> = file.read(&wanted).into_iter().collect();
    Model::new(config, source_sha256, tensors?)
}

/// A tensor of the file whose header is right.
struct Wanted<'a> {
    name: String,
    info: &'a TensorInfo,
    /// Of the values.
    shape: Vec<usize>,
}

/// A file whose header has been read.
struct File<'a> {
    header: &'a Metadata,
    /// Behind the header; the tensors tile it.
    data: &'a [u8],
    ini: &'a Ini,
}

type Named = Result<(String, Tensor), ModelError>;

impl<'a> File<'a> {
    fn check(&self, name: String, layout: &Layout) -> Result<Wanted<'a>, ModelError> {
        let (Some(info), Some(expected)) = (self.header.info(&name), layout.shape(&name)) else {
            return Err(ModelError::UnknownTensor { tensor: name });
        };
        match info.dtype {
            Dtype::F32 | Dtype::I16 if info.shape == expected => {}
            Dtype::U8 => {}
            Dtype::F32 | Dtype::I16 => {
                let (expected, found) = (expected.to_vec(), info.shape.clone());
                return Err(ModelError::Shape { tensor: name, expected, found });
            }
            other => return Err(damaged(format!("tensor {name} is of type {other:?}, not F32, I16 or U8"))),
        }
        Ok(Wanted { name, info, shape: expected.to_vec() })
    }

    /// The tensors, read by several threads where there are several processors.
    fn read(&self, wanted: &[Wanted<'_>]) -> Vec<Named> {
        let n_taken = AtomicUsize::new(0);
        let take = || {
            let mut read = Vec::new();
            loop {
                let index = n_taken.fetch_add(1, Ordering::Relaxed);
                let Some(wanted) = wanted.get(index) else { break read };
                read.push((index, self.tensor(wanted)));
            }
        };
        let n_helpers = thread::available_parallelism().map_or(1, usize::from).min(MAX_READERS) - 1;
        let mut read = thread::scope(|scope| {
            // Where no thread can be started, those that are there do its part.
            let start = |_| thread::Builder::new().spawn_scoped(scope, take).ok();
            let helpers: Vec<_> = (0..n_helpers).filter_map(start).collect();
            let mut read = take();
            for helper in helpers {
                match helper.join() {
                    Ok(more) => read.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            read
        });
        // Of several errors, always the same one is reported.
        read.sort_unstable_by_key(|(index, _)| *index);
        read.into_iter().map(|(_, tensor)| tensor).collect()
    }

    fn stored(&self, name: &str, info: &TensorInfo) -> Result<&'a [u8], ModelError> {
        let stored = &self.data[info.data_offsets.0..info.data_offsets.1];
        check_crc(self.ini, name, stored)?;
        Ok(stored)
    }

    fn tensor(&self, Wanted { name, info, shape }: &Wanted<'_>) -> Named {
        let stored = self.stored(name, info)?;
        let data = match info.dtype {
            Dtype::U8 => compressed::decompress(stored, shape.iter().product())
                .ok_or_else(|| damaged(format!("tensor {name} does not hold what its name says")))?,
            Dtype::I16 => {
                let scales = format!("{name}{SCALES_SUFFIX}");
                let n_rows = shape.iter().rev().skip(1).product::<usize>();
                let is_right = |info: &&TensorInfo| info.dtype == Dtype::F32 && info.shape == [n_rows];
                let found = self.header.info(&scales).filter(is_right);
                let found = found.ok_or_else(|| damaged(format!("tensor {name} has no scales")))?;
                unrounded(stored, &floats(self.stored(&scales, found)?))
            }
            _ => floats(stored),
        };
        Ok((name.clone(), Tensor { shape: shape.clone(), data }))
    }
}

/// Little-endian floats. Trailing bytes that make no whole float are ignored; callers have checked the length.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

/// Whether a tensor is one of those that hold nearly all of a model's weights: the recurrent layers' matrices.
fn is_large_matrix(tensor: &Tensor) -> bool {
    tensor.shape.len() == 2 && tensor.shape.iter().all(|&n| n >= 8) && tensor.data.len() >= MIN_SMALLER
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
    fn compressed_weights_take_less_space_and_come_back_bit_identical() {
        let model = small_model();
        let (exact, compressed) =
            (model.to_safetensors().unwrap(), model.to_compressed_safetensors().unwrap());
        assert!(compressed.len() < exact.len(), "{} {}", compressed.len(), exact.len());
        assert_eq!(Model::from_safetensors(&compressed).unwrap(), model);
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
