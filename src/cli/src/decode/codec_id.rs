//! The codec that a container names, where its reader passes the name over.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use anyhow::Error;
use symphonia::core::codecs::audio::AudioCodecParameters;

use super::blocks::CODEC_ID_WAVE;
use super::codec::codec_name;
use super::options::Options;
use super::refusal;

/// Bytes at the beginning of a file in which the description of its first tracks lies.
const HEAD_BYTES: u64 = 1 << 16;
/// Matroska's element for the name of a codec, and the longest name in it.
const CODEC_ID: u8 = 0x86;
const MAX_ID_BYTES: usize = 40;

/// The name of the codec in a CAF, or of the first sound in a Matroska file.
fn of_file(mut file: &File) -> Option<String> {
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    of_caf(&head).or_else(|| of_matroska(&head))
}

/// `error`, or one that names the codec as the file does: where `params` have no name for it, and no track was asked for.
pub fn named(
    error: Error,
    params: Option<&AudioCodecParameters>,
    file: &File,
    container: &str,
    options: &Options,
) -> Error {
    let is_known =
        params.is_some_and(|params| params.codec == CODEC_ID_WAVE || codec_name(params) != refusal::UNKNOWN);
    let codec = if is_known || options.track.is_some() { None } else { of_file(file) };
    codec.map_or(error, |codec| refusal::codec(container, &codec))
}

/// The name of the codec of a CAF that symphonia does not open for the sake of it.
pub fn of_unread_caf(mut file: &File) -> Option<String> {
    let mut head = [0; 48];
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_exact(&mut head).ok()?;
    let is_read = |code: &[u8]| matches!(code, b"lpcm" | b"aac " | b"alac" | b"opus" | b"ulaw" | b"alaw");
    of_caf(&head).filter(|_| !is_read(&head[28..32]) && !head[28..].starts_with(b".mp"))
}

fn of_caf(head: &[u8]) -> Option<String> {
    // The description comes first: its own header, then the rate, then the four letters.
    let code = head.strip_prefix(b"caff")?.get(24..28)?;
    Some(match code {
        b"flac" => "FLAC".into(),
        b"ima4" => "IMA ADPCM of QuickTime".into(),
        b"QDM2" => "QDesign".into(),
        b"ilbc" => "iLBC".into(),
        b"agsm" => "GSM".into(),
        b"aach" | b"aacp" => "HE-AAC".into(),
        b"aacl" | b"aace" | b"aacf" => "AAC-LD or AAC-ELD".into(),
        b"ac-3" => "AC-3".into(),
        b"ec-3" => "E-AC-3".into(),
        b".mp1" | b".mp2" | b".mp3" => "MPEG audio".into(),
        code => format!("the codec \"{}\"", code.escape_ascii()),
    })
}

fn of_matroska(head: &[u8]) -> Option<String> {
    head.windows(2 + MAX_ID_BYTES).find_map(|bytes| {
        let n_bytes = usize::from(bytes[1].checked_sub(0x80)?);
        let id = bytes.get(2..2 + n_bytes)?;
        let is_plain =
            |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_/.".contains(byte);
        let is_id = bytes[0] == CODEC_ID && n_bytes > 3 && id.starts_with(b"A_") && id.iter().all(is_plain);
        is_id.then(|| format!("the codec {}", String::from_utf8_lossy(id)))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_containers_own_words_are_found() {
        let mut caf = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20".to_vec();
        caf.extend(48_000f64.to_be_bytes());
        let of = |code: &[u8]| of_caf(&[&caf, code].concat());
        assert_eq!(of(b"flac").unwrap(), "FLAC");
        assert_eq!(of(b"wxyz").unwrap(), "the codec \"wxyz\"");
        assert_eq!(of(b"wx"), None);
        let unread = |code: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&[&caf, code, &[0; 40]].concat()).unwrap();
            of_unread_caf(&file)
        };
        assert_eq!(
            (unread(b"agsm").unwrap(), unread(b"lpcm"), unread(b".mp3")),
            ("GSM".to_owned(), None, None)
        );

        let matroska = |id: &[u8]| {
            let element = [&[CODEC_ID, 0x80 + id.len() as u8][..], id].concat();
            of_matroska(&[&[0u8; 100][..], &element, &[0; 60]].concat())
        };
        assert_eq!(matroska(b"A_PCM/INT/LIT").unwrap(), "the codec A_PCM/INT/LIT");
        assert_eq!(matroska(b"V_VP9"), None);
        assert_eq!(matroska(b"A_\x01\x02\x03"), None);
    }
}
