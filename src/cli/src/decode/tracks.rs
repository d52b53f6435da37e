//! Which of several audio tracks is read.

use anyhow::{Result, anyhow};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::formats::{FormatReader, Track, TrackType};

use super::{Options, TrackChoice, refusal};

/// The track that is asked for, else the default one; a note says that there are several. `codecs` are names of those that
/// the container has, for words on what is not read.
///
/// # Errors
/// There is no audio track, or not the one that is asked for.
pub fn choose<'a>(
    reader: &'a dyn FormatReader,
    options: &Options,
    codecs: &[String],
    notes: &mut Vec<String>,
) -> Result<&'a Track> {
    let is_audio = |track: &&Track| matches!(track.codec_params, Some(CodecParameters::Audio(_)));
    let tracks: Vec<&Track> = reader.tracks().iter().filter(is_audio).collect();
    if tracks.is_empty() {
        if !codecs.is_empty() {
            return Err(refusal::codec(reader.format_info().short_name, &codecs.join(" and ")));
        }
        let what = if reader.tracks().is_empty() { "no track" } else { "no audio track" };
        return Err(refusal::refused(format!("holds {what} that Tacet reads;")));
    }
    let list = || {
        let name = |(index, track): (usize, &&Track)| match track.language.as_deref() {
            Some(language) if !language.is_empty() && language != "und" => {
                format!("{} ({language})", index + 1)
            }
            _ => format!("{}", index + 1),
        };
        tracks.iter().enumerate().map(name).collect::<Vec<_>>().join(", ")
    };
    let found = match &options.track {
        None => {
            let track = reader.default_track(TrackType::Audio).or(tracks.first().copied());
            let track = track.ok_or_else(|| anyhow!("holds no audio track"))?;
            if tracks.len() > 1 {
                let index = tracks.iter().position(|other| other.id == track.id).map_or(1, |index| index + 1);
                notes.push(format!(
                    "holds {} audio tracks ({}): track {index} was read; --track chooses another",
                    tracks.len(),
                    list()
                ));
            }
            Some(track)
        }
        Some(TrackChoice::Number(number)) => tracks.get(number.get() - 1).copied(),
        Some(TrackChoice::Language(language)) => tracks
            .iter()
            .copied()
            .find(|track| is_language(track.language.as_deref().unwrap_or(""), language)),
    };
    found.ok_or_else(|| {
        let wanted = options.track.as_ref().map(ToString::to_string).unwrap_or_default();
        anyhow!("has no audio track {wanted}; it has {}", list())
    })
}

/// Whether a track's language is the one asked for: "eng" is also "en" and "en-US", "deu" and "ger" are one.
fn is_language(of_track: &str, wanted: &str) -> bool {
    /// Languages whose codes of two and three letters do not begin alike, or that have two of three letters.
    const SAME: [[&str; 3]; 12] = [
        ["de", "deu", "ger"],
        ["es", "spa", "spa"],
        ["fr", "fra", "fre"],
        ["zh", "zho", "chi"],
        ["nl", "nld", "dut"],
        ["el", "ell", "gre"],
        ["cs", "ces", "cze"],
        ["ja", "jpn", "jpn"],
        ["pt", "por", "por"],
        ["pl", "pol", "pol"],
        ["sv", "swe", "swe"],
        ["tr", "tur", "tur"],
    ];
    let base = |code: &str| code.split(['-', '_']).next().unwrap_or("").to_lowercase();
    let (of_track, wanted) = (base(of_track), base(wanted));
    if of_track.is_empty() || wanted.is_empty() {
        return false;
    }
    let is_same = SAME.iter().any(|codes| codes.contains(&&*of_track) && codes.contains(&&*wanted));
    of_track == wanted || is_same || of_track.len() != wanted.len() && of_track.get(..2) == wanted.get(..2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_by_their_common_codes() {
        for (of_track, wanted) in
            [("eng", "en"), ("en", "eng"), ("ger", "de"), ("deu", "ger"), ("en-US", "en"), ("jpn", "ja")]
        {
            assert!(is_language(of_track, wanted), "{of_track} {wanted}");
        }
        for (of_track, wanted) in [("eng", "de"), ("und", "en"), ("", ""), ("est", "spa")] {
            assert!(!is_language(of_track, wanted), "{of_track} {wanted}");
        }
    }
}
