//! Chooses among several audio tracks.

use super::edits::TrackEdits;
use anyhow::{Result, anyhow};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::formats::{FormatReader, Track, TrackType};

use super::options::{Options, TrackChoice};
use super::refusal;

/// The track that is asked for, else the default one; a note says that there are several. `codecs` are names of those that
/// the container has, for words on what is not read; `not_default` the tracks that Matroska names so, whose absent flags
/// symphonia 0.6 takes for unset ones.
///
/// # Errors
/// There is no audio track, or not the one that is asked for.
pub fn choose<'a>(
    reader: &'a dyn FormatReader,
    options: &Options,
    codecs: &[String],
    not_default: &[u32],
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
    let default = match not_default {
        [] => {
            let default = reader.default_track(TrackType::Audio).map(|track| track.id);
            tracks.iter().position(|track| Some(track.id) == default)
        }
        _ => tracks.iter().position(|track| !not_default.contains(&track.id)),
    };
    let default = default.unwrap_or(0);
    let languages: Vec<&str> = tracks.iter().map(|track| track.language.as_deref().unwrap_or("")).collect();
    Ok(tracks[pick(&languages, default, options, notes)?])
}

/// The same of an MP4, by its own description: symphonia passes over the tracks that it does not know, or refuses them all,
/// and has no default. `None` if no track of sound is described.
///
/// # Errors
/// There is no track as it is asked for.
pub fn choose_described<'a>(
    tracks: &'a [TrackEdits],
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Option<&'a TrackEdits>> {
    let tracks: Vec<&TrackEdits> = tracks.iter().filter(|track| track.is_sound).collect();
    if tracks.is_empty() {
        return Ok(None);
    }
    let is_read = |track: &&TrackEdits| !track.is_foreign();
    let default = tracks.iter().position(|track| track.is_enabled && is_read(track));
    let default = default.or_else(|| tracks.iter().position(is_read)).unwrap_or(0);
    let languages: Vec<&str> = tracks.iter().map(|track| &*track.language).collect();
    Ok(Some(tracks[pick(&languages, default, options, notes)?]))
}

/// The index of the one that is asked for among `n_tracks` tracks of unknown languages, the first unless another is.
///
/// # Errors
/// There is no track as it is asked for.
pub fn choose_of(n_tracks: usize, options: &Options, notes: &mut Vec<String>) -> Result<usize> {
    pick(&vec![""; n_tracks], 0, options, notes)
}

/// Refuses the choice of another track where there is one.
///
/// # Errors
/// Another one is asked for.
pub fn refuse_others(options: &Options) -> Result<()> {
    choose_of(1, options, &mut Vec::new()).map(drop)
}

/// The index of the track that is asked for among those of these languages.
fn pick(languages: &[&str], default: usize, options: &Options, notes: &mut Vec<String>) -> Result<usize> {
    let list = || {
        let name = |(index, &language): (usize, &&str)| match language {
            "" | "und" => format!("{}", index + 1),
            language => format!("{} ({language})", index + 1),
        };
        languages.iter().enumerate().map(name).collect::<Vec<_>>().join(", ")
    };
    let found = match &options.track {
        None => {
            if languages.len() > 1 {
                notes.push(format!(
                    "holds {} audio tracks ({}): track {} was read; --track chooses another",
                    languages.len(),
                    list(),
                    default + 1
                ));
            }
            Some(default)
        }
        Some(TrackChoice::Number(number)) => Some(number.get() - 1).filter(|&index| index < languages.len()),
        Some(TrackChoice::Language(wanted)) => {
            languages.iter().position(|language| is_language(language, wanted))
        }
    };
    found.ok_or_else(|| {
        let wanted = options.track.as_ref().map(ToString::to_string).unwrap_or_default();
        anyhow!("has no audio track {wanted}; it has {}: choose one of these with --track", list())
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

    /// A track that is not enabled, or that nothing here decodes, is read on request only.
    #[test]
    fn the_first_enabled_track_is_the_default() {
        let track = |track_id, is_enabled, codec: &[u8; 4]| TrackEdits {
            track_id,
            is_enabled,
            is_sound: true,
            codec: *codec,
            ..TrackEdits::default()
        };
        let picture = TrackEdits { is_enabled: true, track_id: 9, ..TrackEdits::default() };
        let chosen = |tracks: &[TrackEdits], options: &Options| {
            let mut notes = Vec::new();
            let track = choose_described(tracks, options, &mut notes).unwrap();
            (track.map(|track| track.track_id), notes.len())
        };
        let plain = Options::default();
        let three = [
            picture.clone(),
            track(1, false, b"mp4a"),
            track(2, true, b"ac-3"),
            track(3, true, b"mp4a"),
            track(4, true, b"mp4a"),
        ];
        assert_eq!(chosen(&three, &plain), (Some(3), 1));
        let first = Options { track: "1".parse().ok(), by_ffmpeg: false };
        assert_eq!(chosen(&three, &first), (Some(1), 0));
        // None enabled: the first.
        assert_eq!(chosen(&three[..2], &plain), (Some(1), 0));
        assert_eq!(chosen(&[picture], &plain), (None, 0));
        let sixth = Options { track: "6".parse().ok(), by_ffmpeg: false };
        let error = choose_described(&three, &sixth, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("no audio track 6; it has 1, 2, 3, 4"), "{error}");
    }

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
