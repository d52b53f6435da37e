//! Recordings without a header, which Tacet does not read: known by their names' endings, or by what all their frames begin
//! with.

use super::convert::Program;

/// Frames of speech that are looked at.
const N_FRAMES: usize = 20;

/// Endings of names, the codec, and what converts it. Only the ending tells how samples were stored.
const ENDINGS: [(&str, &str, Program); 23] = [
    ("gsm", "GSM 06.10", Program::Ffmpeg("-f gsm ")),
    ("g722 722", "G.722", Program::Ffmpeg("-f g722 ")),
    ("g723 g723_1 tco rco", "G.723.1", Program::Ffmpeg("-f g723_1 ")),
    ("g729", "G.729", Program::Ffmpeg("-f g729 ")),
    ("amr", "AMR speech", Program::Ffmpeg("-f amrnb ")),
    ("awb", "AMR-WB speech", Program::Ffmpeg("-f amrwb ")),
    ("sbc", "SBC", Program::Ffmpeg("-f sbc ")),
    ("sln sln8", "Asterisk's samples (SLN)", Program::Ffmpeg("-f s16le -ar 8000 -ac 1 ")),
    ("sln12", "Asterisk's samples (SLN)", Program::Ffmpeg("-f s16le -ar 12000 -ac 1 ")),
    ("sln16", "Asterisk's samples (SLN)", Program::Ffmpeg("-f s16le -ar 16000 -ac 1 ")),
    ("sln24", "Asterisk's samples (SLN)", Program::Ffmpeg("-f s16le -ar 24000 -ac 1 ")),
    ("sln32", "Asterisk's samples (SLN)", Program::Ffmpeg("-f s16le -ar 32000 -ac 1 ")),
    ("sln44", "Asterisk's samples (SLN)", Program::Ffmpeg("-f s16le -ar 44100 -ac 1 ")),
    ("sln48", "Asterisk's samples (SLN)", Program::Ffmpeg("-f s16le -ar 48000 -ac 1 ")),
    ("sln96", "Asterisk's samples (SLN)", Program::Ffmpeg("-f s16le -ar 96000 -ac 1 ")),
    ("sln192", "Asterisk's samples (SLN)", Program::Ffmpeg("-f s16le -ar 192000 -ac 1 ")),
    ("dfpwm", "DFPWM", Program::Ffmpeg("-f dfpwm -ar 48000 -ac 1 ")),
    ("aptx", "aptX", Program::Ffmpeg("-f aptx -ar 48000 ")),
    ("aptxhd", "aptX HD", Program::Ffmpeg("-f aptx_hd -ar 48000 ")),
    ("ul ulaw mulaw pcmu", "mu-law speech", Program::Ffmpeg("-f mulaw -ar 8000 -ac 1 ")),
    ("al alaw pcma", "A-law speech", Program::Ffmpeg("-f alaw -ar 8000 -ac 1 ")),
    ("vox", "Dialogic ADPCM (VOX)", Program::Command("sox -t vox -r 8000 INPUT -t wav OUTPUT")),
    (
        "raw pcm sw s16",
        "samples of a rate that nothing states",
        Program::Command(
            "ffmpeg -f s16le -ar 48000 -ac 2 -i INPUT -f wav OUTPUT, with its own rate and channels in place of 48000 and 2",
        ),
    ),
];

/// The codec of a file without a header, and what converts it; `None` if nothing tells it.
pub fn codec(head: &[u8], extension: Option<&str>) -> Option<(&'static str, Program)> {
    let is_one_of = |names: &str| {
        let mut names = names.split(' ');
        extension.is_some_and(|own| names.any(|name| name.eq_ignore_ascii_case(own)))
    };
    // A frame of GSM begins with the bits 1101.
    let is_gsm = head.len() >= 33 * N_FRAMES && head.iter().step_by(33).all(|byte| byte >> 4 == 0xd);
    let found = ENDINGS.iter().find(|(names, ..)| if is_gsm { *names == "gsm" } else { is_one_of(names) });
    found.map(|&(_, codec, program)| (codec, program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headerless_codecs_are_known() {
        let name = |head: &[u8], extension| codec(head, extension).map(|(name, _)| name);
        assert_eq!(name(&[7; 4_096], Some("G722")), Some("G.722"));
        assert_eq!(name(&[7; 4_096], Some("mp3")), None);
        let frame = [&[0xd3][..], &[7; 32]].concat();
        assert_eq!(name(&frame.repeat(50), None), Some("GSM 06.10"));
        assert_eq!(name(&frame.repeat(9), None), None);
        for (extension, rate_hz) in
            [("sln", "8000"), ("SLN16", "16000"), ("sln44", "44100"), ("sln192", "192000")]
        {
            let Some((_, Program::Ffmpeg(options))) = codec(&[7; 99], Some(extension)) else {
                panic!("{extension}")
            };
            assert_eq!(options, format!("-f s16le -ar {rate_hz} -ac 1 "));
        }
    }
}
