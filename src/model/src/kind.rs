//! The two published models, their files and hashes.

use sha2::{Digest, Sha256};

use crate::ModelError;

/// A published model, or the one that a fine-tuned model descends from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// DeepFilterNet3: two hops of lookahead.
    #[default]
    DeepFilterNet3,
    /// The low-latency variant: no lookahead, a larger network.
    DeepFilterNet3Ll,
}

impl ModelKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::DeepFilterNet3, Self::DeepFilterNet3Ll];

    /// The name its authors gave it: `DeepFilterNet3` or `DeepFilterNet3_ll`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::DeepFilterNet3 => "DeepFilterNet3",
            Self::DeepFilterNet3Ll => "DeepFilterNet3_ll",
        }
    }

    /// File name of the official archive.
    pub const fn archive_file(self) -> &'static str {
        match self {
            Self::DeepFilterNet3 => "DeepFilterNet3_onnx.tar.gz",
            Self::DeepFilterNet3Ll => "DeepFilterNet3_ll_onnx.tar.gz",
        }
    }

    /// File name of the converted model.
    pub const fn safetensors_file(self) -> &'static str {
        match self {
            Self::DeepFilterNet3 => "DeepFilterNet3.safetensors",
            Self::DeepFilterNet3Ll => "DeepFilterNet3_ll.safetensors",
        }
    }

    /// SHA-256 of the official archive, lower-case hexadecimal.
    pub const fn archive_sha256(self) -> &'static str {
        match self {
            Self::DeepFilterNet3 => "c94d91f70911001c946e0fabb4aa9adc37045f45a03b56008cb0c8244cb63616",
            Self::DeepFilterNet3Ll => "5998e58e8ba0e09bb76986ef97b84afa065a571ef282d4a1222f341e3251cf3a",
        }
    }

    /// Refuses bytes that are not the official archive, for files that were fetched as such.
    ///
    /// # Errors
    /// [`ModelError::Hash`] with both hashes.
    pub fn check_archive(self, bytes: &[u8]) -> Result<(), ModelError> {
        let found = sha256_hex(bytes);
        if found == self.archive_sha256() {
            Ok(())
        } else {
            Err(ModelError::Hash { file: self.archive_file(), expected: self.archive_sha256(), found })
        }
    }
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_standard_one() {
        // FIPS 180-4's example "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), expected);
    }

    #[test]
    fn an_altered_archive_is_refused_with_both_hashes() {
        let error = ModelKind::DeepFilterNet3.check_archive(b"abc").unwrap_err().to_string();
        assert!(error.contains(ModelKind::DeepFilterNet3.archive_sha256()), "{error}");
        assert!(error.contains("ba7816bf"), "{error}");
        assert!(error.contains("cargo xtask setup"), "{error}");
    }
}
