//! The words for what is not read: the codec's name and the command that converts it.

use std::fmt;

use anyhow::Error;

use super::convert::{Program, Refused};
use super::headerless;

/// The words for a codec without a name.
pub const UNKNOWN: &str = "a codec that is not known here";

/// The name of a kind that no decoder here takes: see [`super::frames::is_wide_mono`].
pub const WIDE_MONO: &str = "MP2 of one channel at a bit rate that is for two";

/// Decodes what ffmpeg gives up on.
pub const LAME: Program = Program::Command("lame --decode --mp3input INPUT OUTPUT");

/// The readable formats, for error texts and the help.
pub const SUPPORTED: &str = "WAV, RF64, BW64, Wave64, AIFF, AU, CAF, FLAC, MP3, Ogg Vorbis and Opus, AAC, HE-AAC and \
    ALAC in M4A, MP4 and MOV, and Matroska and WebM";

/// An error whose next step is a conversion. Where it is made nobody knows the input's name: [`named`] adds it.
#[derive(Debug)]
pub struct Refusal {
    /// The finding, up to the comma or semicolon in front of the next step.
    what: String,
    program: Program,
    input: Option<Refused>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.input {
            Some(input) => write!(f, "{} {}", self.what, input.advice(self.program)),
            None => write!(f, "{} convert it first", self.what),
        }
    }
}

impl std::error::Error for Refusal {}

/// The options with which ffmpeg reads an input that was refused so; `None` if it cannot.
pub fn ffmpeg_options(error: &Error) -> Option<&'static str> {
    match error.downcast_ref::<Refusal>().map(|refusal| refusal.program) {
        None => Some(""),
        Some(Program::Ffmpeg(options)) => Some(options),
        Some(Program::Command(_)) => None,
    }
}

/// The error for what `what` says, a sentence up to its next step: "holds no track;".
pub fn refused(what: String) -> Error {
    Refusal { what, program: Program::Ffmpeg(""), input: None }.into()
}

/// The error of a file that makes no sense, for what `what` says of it.
pub fn damaged(what: impl fmt::Display) -> Error {
    refused(format!("{what}: it is damaged; if a player opens it,"))
}

/// An error on this input: a refusal's command names it.
pub fn named(mut error: Error, input: &Refused) -> Error {
    if let Some(refusal) = error.downcast_mut::<Refusal>() {
        refusal.input = Some(input.clone());
    }
    error
}

/// The error for a codec, by the name that people know it by.
pub fn codec(container: &str, codec: &str) -> Error {
    refused(format!("holds {codec} (in {container}), which Tacet does not decode;"))
}

/// The name of a codec in a WAV, by its number in the registry of RFC 2361 and its successors.
pub fn wave_codec(code: u16) -> String {
    let name = match code {
        0x0016 | 0x0045 | 0x0064 | 0x0065 | 0x0014 => "G.726 ADPCM",
        0x0010 => "OKI ADPCM",
        0x0017 => "Dialogic ADPCM",
        0x0020 => "Yamaha ADPCM",
        0x0022 => "TrueSpeech",
        0x0031 | 0x0032 => "GSM 6.10",
        0x0042 => "G.723.1",
        0x0083 => "G.729",
        0x0092 | 0x2000 => "AC-3",
        0x2001 => "DTS",
        0x00ff | 0x1600 | 0x1601 | 0x1602 | 0x1610 | 0x706d | 0xa106 => "AAC",
        0x0160..=0x0163 => "Windows Media Audio",
        0x028f => "G.722",
        0x0270 => "ATRAC3",
        0x566f | 0x674f..=0x6751 | 0x676f..=0x6771 => "Ogg Vorbis",
        0x704f => "Opus",
        0xa109 => "Speex",
        0xf1ac => "FLAC",
        0x5756 => "WavPack",
        _ => return format!("the codec {code:#06x}"),
    };
    name.to_owned()
}

/// The name of a codec in an MP4 or MOV, by the four letters of its description.
pub fn mp4_codec(code: [u8; 4]) -> String {
    let name = match &code {
        b"ac-3" | b"sac3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"ac-4" => "AC-4",
        b"dtsc" | b"dtse" | b"dtsh" | b"dtsl" => "DTS",
        b"MAC3" | b"MAC6" => "MACE",
        b"Qclp" | b"QDMC" | b"QDM2" => "QDesign or QCELP",
        b"agsm" => "GSM",
        b"samr" => "AMR speech",
        b"sawb" => "AMR-WB speech",
        b"mha1" | b"mhm1" => "MPEG-H",
        b"apac" => "Apple's positional audio (APAC)",
        b"spex" => "Speex",
        b"mp4a" => "MPEG-4 audio that does not say of which kind",
        [0, ..] => return UNKNOWN.to_owned(),
        code => return format!("the codec \"{}\"", String::from_utf8_lossy(&code[..]).escape_default()),
    };
    name.to_owned()
}

/// Whether an MP4's codec is one that is known and not read.
pub fn is_foreign(code: [u8; 4]) -> bool {
    &code != b"mp4a" && !mp4_codec(code).starts_with("the codec")
}

/// The name of the container that a file of these first bytes is, where it is one that is known and not read.
pub fn container(head: &[u8]) -> Option<&'static str> {
    let at = |from: usize, magic: &[u8]| head.get(from..from + magic.len()) == Some(magic);
    let known: [(usize, &[u8], &str); 57] = [
        (8, b"AVI ", "AVI video"),
        (0, &[0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11], "Windows Media (ASF: WMA or WMV)"),
        (0, b"#!AMR", "AMR speech"),
        (0, b"wvpk", "WavPack"),
        (0, b"MAC ", "Monkey's Audio"),
        (0, b"TTA1", "True Audio"),
        (0, b"TTA2", "True Audio"),
        (0, b"MPCK", "Musepack"),
        (0, b"MP+", "Musepack"),
        (0, b"DSD ", "DSD"),
        (0, b"FRM8", "DSD (DSDIFF)"),
        (0, b"FLV", "Flash video"),
        (0, b"#!SILK", "SILK speech"),
        (1, b"#!SILK", "SILK speech"),
        (0, b".RMF", "RealMedia"),
        (0, b"2BIT", "an AVR recording"),
        (0, b"NIST_1A", "NIST SPHERE"),
        (0, b"Creative Voice File", "a Creative Voice file (VOC)"),
        (8, b"8SVX", "an Amiga recording (8SVX)"),
        (0, &[0x64, 0xa3], "an IRCAM recording"),
        (0, &[0x0b, 0x77], "AC-3"),
        (0, &[0x7f, 0xfe, 0x80, 0x01], "DTS"),
        (0, &[0xfe, 0x7f, 0x01, 0x80], "DTS"),
        (0, &[0x1f, 0xff, 0xe8, 0x00], "DTS"),
        (0, &[0xff, 0x1f, 0x00, 0xe8], "DTS"),
        (0, &[0, 0, 1, 0xba], "an MPEG program stream (MPG, VOB)"),
        (0, &[0, 0, 1, 0xb3], "MPEG video"),
        (0, &[0x06, 0x0e, 0x2b, 0x34], "MXF video"),
        (4, &[0xf8, 0x72, 0x6f, 0xba], "TrueHD"),
        (4, &[0xf8, 0x72, 0x6f, 0xbb], "MLP"),
        (8, b"QLCM", "QCELP speech (QCP)"),
        (0, b"tBaK", "TAK"),
        (0, b"ajkg", "Shorten"),
        (0, b"ea3\x03", "Sony ATRAC (OMA)"),
        (0, b"EA3\x01", "Sony ATRAC (OMA)"),
        (0, b".ra\xfd", "RealAudio"),
        (0, b"#!iLBC", "iLBC speech"),
        (0, b"\xc0\xde\xc2", "Codec 2 speech"),
        (0, b"\x02dss", "dictation (DSS)"),
        (0, b"\x03dss", "dictation (DSS)"),
        (0, b"nut/multimedia container", "NUT video"),
        (0, &[0xb7, 0xd8, 0x00, 0x20, 0x37, 0x49, 0xda, 0x11, 0xa6, 0x4e], "a television recording (WTV)"),
        (0, &[0, 0, 0, 0, 1, 0xbc], "GXF video"),
        (0, b".SoX", "SoX's own format"),
        (0, b"XoS.", "SoX's own format"),
        (0, b"FWS", "Flash (SWF)"),
        (0, b"CWS", "Flash (SWF)"),
        (0, b"MMMD", "a phone's melody (SMAF)"),
        (0, b"\0\nSMJPEG", "SMJPEG video"),
        (0, &[0x1f, 0x07, 0x00], "DV video"),
        (0, &[0x72, 0xf8, 0x1f, 0x4e], "a stream of S/PDIF"),
        (0, b"PVF1\n", "a Portable Voice File (PVF)"),
        (0, b" paf", "an Ensoniq recording (PAF)"),
        (0, b"fap ", "an Ensoniq recording (PAF)"),
        (0, b"TWIN", "TwinVQ"),
        (0, b"STRM", "a game's recording (AST)"),
        (8, b"XWMA", "xWMA"),
    ];
    let by_magic = known.iter().find(|(from, magic, _)| at(*from, magic)).map(|(_, _, name)| *name);
    // Transport streams repeat their sync byte every 188 bytes, cameras' every 192; a piece of one begins anywhere.
    let repeats = |from: usize, every: usize| (0..5).all(|index| at(from + index * every, b"G"));
    let is_stream = |every: usize| (0..every).any(|from| repeats(from, every));
    by_magic.or_else(|| (is_stream(188) || is_stream(192)).then_some("an MPEG transport stream"))
}

/// The error for a file that no reader takes.
pub fn unknown(head: &[u8], extension: Option<&str>) -> Error {
    // No length in its frames' headers; ffmpeg gives up on them too.
    if matches!(*head, [0xff, second, third, ..] if second & 0xe6 == 0xe2 && second & 0x18 != 0x08 && third & 0xf0 == 0)
    {
        let what = "is an MP3 of a free bit rate, which Tacet does not read;".to_owned();
        return Refusal { what, program: LAME, input: None }.into();
    }
    if let Some(b"styp" | b"moof" | b"sidx") = head.get(4..8) {
        return anyhow::anyhow!(
            "is a piece of a stream in MP4 without the stream's beginning, which describes it: join the two first \
             (cat init.mp4 PIECES > whole.mp4)"
        );
    }
    if head.starts_with(b"\x03ds2") {
        return anyhow::anyhow!(
            "is dictation (DS2), which neither Tacet nor ffmpeg reads: save it as WAV with the recorder's own program first"
        );
    }
    if container(head).is_none()
        && let Some((codec, program)) = headerless::codec(head, extension)
    {
        let what =
            format!("holds {codec} without a header, by its name or its frames, which Tacet does not read;");
        return Refusal { what, program, input: None }.into();
    }
    match container(head) {
        Some(name) => refused(format!("is {name}, which Tacet does not read;")),
        None => refused(format!("is no audio that Tacet reads ({SUPPORTED}); if a player opens it,")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Options;

    #[test]
    fn known_containers_are_named() {
        assert!(unknown(b"RIFF\0\0\0\0AVI LIST", None).to_string().contains("AVI video"));
        assert!(unknown(b"hello", None).to_string().contains("no audio"));
        assert!(unknown(b"\0\0\0\x18styp", None).to_string().contains("init.mp4"));
        let free = named(unknown(&[0xff, 0xfb, 0x04, 0, 0], None), &Refused::new(None, &Options::default()));
        assert!(free.to_string().contains("lame --decode"));
        for (head, name) in
            [(&b"nut/multimedia container\0"[..], "NUT"), (b".SoX\x1c", "SoX"), (b"RIFF\0\0\0\0XWMA", "xWMA")]
        {
            assert!(unknown(head, None).to_string().contains(name), "{name}");
        }
        assert_eq!(container(b""), None);
        for (before, every) in [(0, 188), (100, 188), (4, 192)] {
            let packet = [b"G".as_slice(), &vec![7; every - 1]].concat();
            let stream = [&vec![7; before][..], &packet.repeat(9)].concat();
            assert!(container(&stream).unwrap().contains("transport"), "{before} {every}");
        }
        assert_eq!(container(&[7; 4096]), None);
    }

    /// Also behind further words, as a reader adds them.
    #[test]
    fn the_command_names_the_input() {
        let input = Refused::new(Some("take 1.wav".as_ref()), &Options::default());
        let error = named(codec("wav", "GSM 6.10").context("cannot be opened"), &input);
        let words = format!("{error:#}");
        assert!(words.contains("cannot be opened: holds GSM 6.10 (in wav)"), "{words}");
        assert!(words.contains("take 1.flac") && words.contains("ffmpeg -i "), "{words}");
    }
}
