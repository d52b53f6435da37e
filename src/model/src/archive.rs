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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Model;
    use crate::testing::{pack, small_archive, small_members};

    #[test]
    fn members_are_found_in_any_folder_and_others_are_skipped() {
        let mut members = small_members();
        members.push(("../../etc/version.txt".into(), b"1".to_vec()));
        let plain = Archive::read(&pack(&members)).unwrap();
        for (path, _) in &mut members {
            path.insert_str(0, "some/where/else/");
        }
        let nested = Archive::read(&pack(&members)).unwrap();
        assert_eq!(plain.enc, nested.enc);
        assert_eq!(plain.config, nested.config);
    }

    #[test]
    fn a_missing_member_is_named() {
        for missing in MEMBERS {
            let members: Vec<_> =
                small_members().into_iter().filter(|(path, _)| !path.ends_with(missing)).collect();
            let error = Model::from_archive(&pack(&members)).unwrap_err().to_string();
            assert!(error.contains(missing), "{error}");
        }
    }

    #[test]
    fn a_member_twice_is_refused() {
        let mut members = small_members();
        members.push(members[0].clone());
        let error = Model::from_archive(&pack(&members)).unwrap_err().to_string();
        assert!(error.contains("twice"), "{error}");
    }

    #[test]
    fn archives_that_inflate_without_end_are_refused() {
        let member = [("enc.onnx".to_owned(), vec![0; MAX_MEMBER_BYTES as usize])];
        assert!(
            matches!(Archive::read(&pack(&member)), Err(ModelError::TooLarge { what, .. }) if what == "enc.onnx")
        );
        let skipped =
            ["a", "b", "c"].map(|name| (name.to_owned(), vec![0; (MAX_INFLATED_BYTES / 3) as usize]));
        let outcome = Archive::read(&pack(&skipped));
        assert!(matches!(outcome, Err(ModelError::TooLarge { what, .. }) if what == "the archive"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn truncated_archives_are_refused(cut in 0.0..1.0f64) {
            let bytes = small_archive();
            let len = (cut * bytes.len() as f64) as usize;
            prop_assert!(Model::from_bytes(&bytes[..len]).is_err());
        }

        #[test]
        fn altered_archives_are_refused_or_mean_the_same(at in 0.0..1.0f64, in_header: bool, mask in 1u8..) {
            let mut bytes = small_archive();
            let original = Model::from_archive(&bytes).unwrap();
            let span = if in_header { 64 } else { bytes.len() };
            bytes[(at * span as f64) as usize] ^= mask;
            // Some bits of the gzip header mean nothing.
            if let Ok(read) = Model::from_bytes(&bytes) {
                prop_assert_eq!(&read.config, &original.config);
                prop_assert!(read.tensors().eq(original.tensors()));
            }
        }

        #[test]
        fn random_bytes_are_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            prop_assert!(Model::from_bytes(&bytes).is_err());
            // The same as the content of a gzip file, so that the tar reader sees it.
            prop_assert!(Model::from_bytes(&crate::testing::gzip(&bytes)).is_err());
            bytes.splice(..0, [0x1f, 0x8b, 8]);
            prop_assert!(Model::from_bytes(&bytes).is_err());
        }
    }
}
