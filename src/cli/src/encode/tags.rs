//! Carries an input's tags into the output's format, and names those that the format has no place for.

use crate::decode::metadata::Metadata;

/// Tags of WAV's LIST INFO, and the names that Vorbis comments have for them.
const INFO: [([u8; 4], &str); 12] = [
    (*b"INAM", "TITLE"),
    (*b"IART", "ARTIST"),
    (*b"IPRD", "ALBUM"),
    (*b"ICMT", "COMMENT"),
    (*b"ICOP", "COPYRIGHT"),
    (*b"ICRD", "DATE"),
    (*b"IGNR", "GENRE"),
    (*b"ITRK", "TRACKNUMBER"),
    (*b"ILNG", "LANGUAGE"),
    (*b"IMUS", "COMPOSER"),
    (*b"ITCH", "ENCODED-BY"),
    (*b"ISBJ", "DESCRIPTION"),
];

/// Fixed parts of a bext chunk (EBU Tech 3285): name as ffmpeg has it in other containers, position and length.
const BEXT: [(&str, usize, usize); 5] = [
    ("DESCRIPTION", 0, 256),
    ("ORIGINATOR", 256, 32),
    ("ORIGINATOR_REFERENCE", 288, 32),
    ("ORIGINATION_DATE", 320, 10),
    ("ORIGINATION_TIME", 330, 8),
];
/// Offsets in a bext chunk: the time reference, in samples since midnight, and the coding history.
const TIME_REFERENCE: usize = 338;
const CODING_HISTORY: usize = 602;

/// Metadata as an output can hold them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried<T> {
    /// The part that the output can hold.
    pub content: T,
    /// The part that it cannot hold, by name.
    pub lost: Vec<String>,
}

impl<T> Carried<T> {
    /// The sentence for what is lost, if anything is.
    pub fn note(&self) -> Option<String> {
        (!self.lost.is_empty()).then(|| format!("not kept in the output: {}", self.lost.join(", ")))
    }
}

fn lost(metadata: &Metadata) -> Vec<String> {
    let mut lost = metadata.lost.clone();
    match metadata.n_pictures {
        0 => {}
        1 => lost.push("a picture".to_owned()),
        n => lost.push(format!("{n} pictures")),
    }
    lost
}

/// Chunks for a WAV: those of a WAV as they were, and tags as LIST INFO.
pub(crate) fn for_wav(metadata: &Metadata) -> Carried<Vec<u8>> {
    let mut carried = Carried { content: Vec::new(), lost: lost(metadata) };
    for (name, content) in &metadata.chunks {
        push_chunk(&mut carried.content, *name, content);
    }
    let mut list = b"INFO".to_vec();
    for (name, value) in &metadata.tags {
        match INFO.iter().find(|(_, tag)| tag == name) {
            Some((id, _)) => push_chunk(&mut list, *id, &[value.as_bytes(), &[0]].concat()),
            None => carried.lost.push(name.to_lowercase()),
        }
    }
    if list.len() > 4 {
        push_chunk(&mut carried.content, *b"LIST", &list);
    }
    carried.lost.dedup();
    carried
}

fn push_chunk(bytes: &mut Vec<u8>, name: [u8; 4], content: &[u8]) {
    bytes.extend(name);
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
    if content.len() % 2 == 1 {
        bytes.push(0);
    }
}

/// Vorbis comments for a FLAC.
pub(crate) fn for_flac(metadata: &Metadata) -> Carried<Vec<(String, String)>> {
    let mut carried = Carried { content: metadata.tags.clone(), lost: lost(metadata) };
    for (name, content) in &metadata.chunks {
        match (name, content.get(..4)) {
            (b"bext", _) => carried.content.extend(bext_tags(content)),
            (b"LIST", Some(b"INFO")) => info_tags(&content[4..], &mut carried),
            (name, _) => carried.lost.push(format!("{} chunk", String::from_utf8_lossy(name).trim_end())),
        }
    }
    carried.lost.dedup();
    carried
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned()
}

fn bext_tags(content: &[u8]) -> Vec<(String, String)> {
    let fixed = BEXT.iter().map(|&(name, at, len)| {
        let rest = content.get(at..).unwrap_or_default();
        (name, text(&rest[..len.min(rest.len())]))
    });
    let mut tags: Vec<_> = fixed.filter(|(_, value)| !value.is_empty()).collect();
    if let Some(bytes) = content.get(TIME_REFERENCE..TIME_REFERENCE + 8) {
        let samples = bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        tags.push(("TIME_REFERENCE", samples.to_string()));
    }
    let history = text(content.get(CODING_HISTORY..).unwrap_or_default());
    if !history.is_empty() {
        tags.push(("CODING_HISTORY", history));
    }
    tags.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn info_tags(mut list: &[u8], carried: &mut Carried<Vec<(String, String)>>) {
    while let Some((head, rest)) = list.split_first_chunk::<8>() {
        let [a, b, c, d, len @ ..] = *head;
        let len = (u32::from_le_bytes(len) as usize).min(rest.len());
        let value = text(&rest[..len]);
        match INFO.iter().find(|(id, _)| *id == [a, b, c, d]) {
            Some((_, name)) => carried.content.push(((*name).to_owned(), value)),
            // The program that wrote the input is not the one that writes the output.
            None if [a, b, c, d] == *b"ISFT" => {}
            None => carried.lost.push(String::from_utf8_lossy(&[a, b, c, d]).into_owned()),
        }
        list = rest.get(len.next_multiple_of(2)..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn chunks_of_a_wav_stay_as_they_are() {
        let chunks = vec![(*b"bext", vec![1; 603]), (*b"cue ", vec![2; 28])];
        let metadata = Metadata { chunks, n_pictures: 1, ..Metadata::default() };
        let carried = for_wav(&metadata);
        assert_eq!(carried.content.len(), 8 + 604 + 8 + 28);
        assert_eq!(carried.note().unwrap(), "not kept in the output: a picture");
    }

    #[test]
    fn tags_become_a_list_and_a_list_becomes_tags() {
        let metadata =
            Metadata { tags: vec![tag("TITLE", "Talk"), tag("LYRICS", "la")], ..Metadata::default() };
        let carried = for_wav(&metadata);
        assert_eq!(carried.content, b"LIST\x12\0\0\0INFOINAM\x05\0\0\0Talk\0\0");
        assert_eq!(carried.lost, ["lyrics"]);
        let chunks = vec![(*b"LIST", carried.content[8..].to_vec()), (*b"iXML", vec![0; 4])];
        let carried = for_flac(&Metadata { chunks, ..Metadata::default() });
        assert_eq!(
            (carried.content, carried.lost),
            (vec![tag("TITLE", "Talk")], vec!["iXML chunk".to_owned()])
        );
    }

    #[test]
    fn a_bext_chunk_keeps_its_time_reference() {
        let mut bext = vec![0; 602];
        bext[..4].copy_from_slice(b"Take");
        bext[338..346].copy_from_slice(&172_800_000_u64.to_le_bytes());
        bext.extend(b"A=PCM\r\n");
        let tags = bext_tags(&bext);
        assert_eq!(
            tags,
            [tag("DESCRIPTION", "Take"), tag("TIME_REFERENCE", "172800000"), tag("CODING_HISTORY", "A=PCM")]
        );
        assert_eq!(bext_tags(&bext[..100]), [tag("DESCRIPTION", "Take")]);
    }
}
