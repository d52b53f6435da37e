//! The members of a model archive, held in memory only: nothing is unpacked to disk, so member paths cannot escape.

use std::io::Read;

use flate2::read::GzDecoder;
use prost::bytes::Bytes;

use crate::ModelError;

/// Most bytes an archive may inflate to. The largest published model, DeepFilterNet3_ll, has 39 MB.
const MAX_INFLATED_BYTES: u64 = 128 << 20;
/// Most bytes of one member; the largest published one has 19 MB.
const MAX_MEMBER_BYTES: u64 = 64 << 20;

/// File names of the members we need, the graphs first. Others, such as `version.txt`, are skipped.
const MEMBERS: [&str; 4] = ["enc.onnx", "erb_dec.onnx", "df_dec.onnx", "config.ini"];

/// A model archive's files.
pub(crate) struct Archive {
    /// Encoder graph.
    pub enc: Bytes,
    /// ERB decoder graph.
    pub erb_dec: Bytes,
    /// Deep-filter decoder graph.
    pub df_dec: Bytes,
    /// Configuration text.
    pub config: String,
}

impl Archive {
    /// Reads the members out of a tar.gz, in whatever folder of it they are.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut inflated = GzDecoder::new(bytes).take(MAX_INFLATED_BYTES);
        let outcome = read_members(&mut inflated);
        // The tar reader takes the end of the limit for the end of the data: the limit is the better reason.
        if inflated.limit() == 0 {
            return Err(too_large("the archive", MAX_INFLATED_BYTES));
        }
        let [enc, erb_dec, df_dec, config] = outcome?;
        let config =
            String::from_utf8(config).map_err(|_| ModelError::Ini { reason: "it is not UTF-8".into() })?;
        Ok(Self { enc: enc.into(), erb_dec: erb_dec.into(), df_dec: df_dec.into(), config })
    }
}

fn read_members(inflated: &mut impl Read) -> Result<[Vec<u8>; 4], ModelError> {
    let mut found: [Option<Vec<u8>>; 4] = Default::default();
    let mut archive = tar::Archive::new(&mut *inflated);
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let path = entry.path_bytes();
        let file = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let Some(member_idx) = MEMBERS.iter().position(|member| member.as_bytes() == file) else {
            continue;
        };
        let member = MEMBERS[member_idx];
        if found[member_idx].is_some() {
            return Err(ModelError::Archive { reason: format!("it holds {member} twice") });
        }
        let mut data = Vec::new();
        let mut limited = entry.take(MAX_MEMBER_BYTES);
        limited.read_to_end(&mut data).map_err(damaged)?;
        if limited.limit() == 0 {
            return Err(too_large(member, MAX_MEMBER_BYTES));
        }
        found[member_idx] = Some(data);
    }
    // To the very end: the gzip checksum stands there.
    std::io::copy(inflated, &mut std::io::sink()).map_err(damaged)?;
    for (data, member) in found.iter().zip(MEMBERS) {
        if data.is_none() {
            return Err(ModelError::MissingMember { member });
        }
    }
    Ok(found.map(Option::unwrap_or_default))
}

fn damaged(error: std::io::Error) -> ModelError {
    ModelError::Archive { reason: error.to_string() }
}

fn too_large(what: &str, limit_bytes: u64) -> ModelError {
    ModelError::TooLarge { what: what.into(), limit_mib: limit_bytes >> 20 }
}
