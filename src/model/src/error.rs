//! Errors of model files, each with the next step.

use std::path::PathBuf;

/// The next step for a file that arrived damaged.
const FETCH_AGAIN: &str = "get the file again (in a checkout `cargo xtask setup` fetches the official one)";
/// The next step for a file of another format or architecture.
const NAME_ANOTHER: &str =
    "name a DeepFilterNet3 or DeepFilterNet3_ll archive (*_onnx.tar.gz), or a model of the same architecture";
/// The next step for a graph or configuration of another shape.
const EXPORT_AGAIN: &str =
    "export it again with the DeepFilterNet3 exporter, graphs and config.ini from one run";

/// The next step for a damaged converted model.
const CONVERT_AGAIN: &str = "convert the archive again (`cargo xtask setup` does) or name the archive itself";

/// Why a model cannot be used. Nothing of it is kept after an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Neither format that we read.
    #[error("this is neither a model archive (tar.gz of ONNX) nor a converted model (safetensors); {next}", next = NAME_ANOTHER)]
    Foreign,
    /// The gzip or tar container is truncated or altered.
    #[error("the model archive is damaged: {reason}; {next}", next = FETCH_AGAIN)]
    Archive {
        /// The container reader's message.
        reason: String,
    },
    /// More data than any model of this architecture needs.
    #[error("{what} holds more than {limit_mib} MiB; {next}", next = NAME_ANOTHER)]
    TooLarge {
        /// The file or member.
        what: String,
        /// The limit, in MiB.
        limit_mib: u64,
    },
    /// The archive lacks a file.
    #[error("the model archive has no {member}; {next}", next = NAME_ANOTHER)]
    MissingMember {
        /// File name of the missing member.
        member: &'static str,
    },
    /// A configuration value is missing, malformed or not supported.
    #[error("config.ini, [{section}] {key}: {reason}; {next}", next = NAME_ANOTHER)]
    Config {
        /// The section where the value is looked up first.
        section: &'static str,
        /// The key.
        key: &'static str,
        /// The problem with its value.
        reason: String,
    },
    /// The configuration is no INI text.
    #[error("config.ini cannot be read: {reason}; {next}", next = FETCH_AGAIN)]
    Ini {
        /// The INI reader's message.
        reason: String,
    },
    /// A graph cannot be decoded or holds what we do not support.
    #[error("{graph}.onnx: {reason}; {next}", next = EXPORT_AGAIN)]
    Graph {
        /// `enc`, `erb_dec` or `df_dec`.
        graph: &'static str,
        /// The problem.
        reason: String,
    },
    /// A tensor that the configuration implies is not there.
    #[error("the model lacks tensor {tensor}; {next}", next = EXPORT_AGAIN)]
    MissingTensor {
        /// Canonical name.
        tensor: String,
    },
    /// A tensor that the configuration does not know.
    #[error("the model has an unknown tensor {tensor}; {next}", next = EXPORT_AGAIN)]
    UnknownTensor {
        /// Canonical name.
        tensor: String,
    },
    /// A tensor of another shape than the configuration implies.
    #[error("tensor {tensor} has shape {found:?}, its config.ini implies {expected:?}; {next}", next = EXPORT_AGAIN)]
    Shape {
        /// Canonical name.
        tensor: String,
        /// Shape that the configuration implies.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A weight is NaN or infinite.
    #[error("tensor {tensor} holds a value that is not finite; {next}", next = EXPORT_AGAIN)]
    NotFinite {
        /// Canonical name.
        tensor: String,
    },
    /// The converted model is truncated or malformed.
    #[error("the converted model is damaged: {reason}; {next}", next = CONVERT_AGAIN)]
    Safetensors {
        /// The problem.
        reason: String,
    },
    /// A tensor of a converted model was altered.
    #[error("tensor {tensor} was altered: its CRC-32 is {found:08x}, not {expected:08x}; {next}", next = CONVERT_AGAIN)]
    Checksum {
        /// Canonical name.
        tensor: String,
        /// CRC-32 written at conversion.
        expected: u32,
        /// CRC-32 of the data.
        found: u32,
    },
    /// A fetched archive is not the official one.
    #[error("{file} has SHA-256 {found}, the official one is {expected}; {next}", next = FETCH_AGAIN)]
    Hash {
        /// File name of the archive.
        file: &'static str,
        /// The official hash.
        expected: &'static str,
        /// The hash found.
        found: String,
    },
    /// The file cannot be read.
    #[error("{path}: {reason}; check the path and its permissions", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// A named file holds no usable model.
    #[error("{path}: {problem}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The problem with it.
        problem: Box<ModelError>,
    },
}
