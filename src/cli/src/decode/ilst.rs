//! The tags in the user data of an MP4, for files that symphonia does not open: iTunes' (`ilst`) and QuickTime's own.

use std::io::{Read, Seek, SeekFrom};

use super::metadata::Metadata;
use super::moof::boxes;
use super::sample_table::Place;

/// The most bytes of user data that are read: pictures among them are no more than named.
const MAX_BYTES: u64 = 1 << 24;

/// Items by the names that Vorbis comments have for them.
const NAMES: [(&[u8; 4], &str); 14] = [
    (b"\xa9nam", "TITLE"),
    (b"\xa9ART", "ARTIST"),
    (b"\xa9aut", "ARTIST"),
    (b"\xa9alb", "ALBUM"),
    (b"aART", "ALBUMARTIST"),
    (b"\xa9cmt", "COMMENT"),
    (b"desc", "DESCRIPTION"),
    (b"\xa9des", "DESCRIPTION"),
    (b"\xa9day", "DATE"),
    (b"\xa9gen", "GENRE"),
    (b"\xa9wrt", "COMPOSER"),
    (b"cprt", "COPYRIGHT"),
    (b"\xa9cpy", "COPYRIGHT"),
    (b"\xa9lyr", "LYRICS"),
];

/// Adds the tags in the user data at `place`, and says what of them is not kept.
pub fn read(file: &mut (impl Read + Seek), (at, n_bytes): Place, metadata: &mut Metadata) {
    let mut bytes = Vec::new();
    let is_read = file.seek(SeekFrom::Start(at)).is_ok()
        && file.take(n_bytes.min(MAX_BYTES)).read_to_end(&mut bytes).is_ok();
    if !is_read || !add(&bytes, metadata) {
        metadata.lost.push("the tags of the file".to_owned());
    }
}

/// Adds what is known of user data; whether that is all.
fn add(user_data: &[u8], metadata: &mut Metadata) -> bool {
    let mut is_all = true;
    for (kind, content) in boxes(user_data) {
        match &kind {
            // A box with version and flags, which QuickTime leaves out.
            b"meta" => {
                let content = content.strip_prefix(&[0; 4]).unwrap_or(content);
                for (_, list) in boxes(content).filter(|(kind, _)| kind == b"ilst") {
                    for (kind, item) in boxes(list) {
                        let data = boxes(item).find(|(kind, _)| kind == b"data").map(|(_, data)| data);
                        is_all &= add_item(kind, data, metadata);
                    }
                }
            }
            [0xa9, ..] => {
                // Length and language in front of the text.
                let text = content.first_chunk().and_then(|&[high, low, _, _]| {
                    content.get(4..4 + usize::from(u16::from_be_bytes([high, low])))
                });
                is_all &= add_text(kind, text, metadata);
            }
            _ => {}
        }
    }
    is_all
}

fn add_item(kind: [u8; 4], data: Option<&[u8]>, metadata: &mut Metadata) -> bool {
    match (&kind, data) {
        (b"covr", _) => metadata.n_pictures += 1,
        // UTF-8, behind its type and a locale.
        (_, Some([0, 0, 0, 1, _, _, _, _, text @ ..])) => return add_text(kind, Some(text), metadata),
        _ => return false,
    }
    true
}

fn add_text(kind: [u8; 4], text: Option<&[u8]>, metadata: &mut Metadata) -> bool {
    // The programs that wrote the file, and how.
    if matches!(&kind, b"\xa9too" | b"\xa9swr" | b"\xa9enc") {
        return true;
    }
    let name = NAMES.iter().find(|(known, _)| **known == kind).map(|(_, name)| (*name).to_owned());
    let (Some(name), Some(text)) = (name, text.and_then(|text| str::from_utf8(text).ok())) else {
        return false;
    };
    let entry = (name, text.trim_matches(['\0', ' ']).to_owned());
    if !entry.1.is_empty() && !metadata.tags.contains(&entry) {
        metadata.tags.push(entry);
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn mp4_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    }

    fn read_all(user_data: &[u8]) -> Metadata {
        let mut metadata = Metadata::default();
        read(&mut Cursor::new(user_data), (0, user_data.len() as u64), &mut metadata);
        metadata
    }

    #[test]
    fn tags_of_both_kinds_are_read() {
        let item = |kind: &[u8; 4], of: u8, text: &[u8]| {
            mp4_box(kind, &mp4_box(b"data", &[&[0, 0, 0, of, 0, 0, 0, 0], text].concat()))
        };
        let items = [
            item(b"\xa9nam", 1, "Ein Gespr\u{e4}ch".as_bytes()),
            item(b"\xa9too", 1, b"a program"),
            item(b"covr", 13, &[7; 99]),
        ];
        let list = mp4_box(b"ilst", &items.concat());
        let known = mp4_box(b"meta", &[&[0; 4], &mp4_box(b"hdlr", &[0; 25])[..], &list].concat());
        let quick = mp4_box(b"\xa9ART", b"\0\x05\x55\xc4Alice");
        let tag = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let all = read_all(&[known.clone(), quick.clone()].concat());
        assert_eq!(all.tags, [tag("TITLE", "Ein Gespr\u{e4}ch"), tag("ARTIST", "Alice")]);
        assert_eq!((all.n_pictures, all.lost.len()), (1, 0));
        // What has no name here, and what is cut off, is said to be lost.
        let other = mp4_box(b"meta", &mp4_box(b"ilst", &item(b"trkn", 0, &[0; 8])));
        assert_eq!(read_all(&[quick, other].concat()).lost.len(), 1);
        for cut in 0..known.len() {
            read_all(&known[..cut]);
        }
    }
}
