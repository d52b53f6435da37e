//! How an input is opened: which track, and whether ffmpeg may help.

use std::num::NonZeroUsize;

/// The choice among several audio tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackChoice {
    /// By its place among the audio tracks, from 1.
    Number(NonZeroUsize),
    /// By its language: "eng", "en", "de".
    Language(String),
}

impl std::str::FromStr for TrackChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_language =
            (2..=8).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphabetic() || c == '-');
        match text.parse() {
            Ok(number) => Ok(Self::Number(number)),
            Err(_) if is_language => Ok(Self::Language(text.to_owned())),
            Err(_) => Err("a number from 1 or a language (eng, de) is needed".to_owned()),
        }
    }
}

impl std::fmt::Display for TrackChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Language(language) => language.fmt(f),
        }
    }
}

/// How an input is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The track of a container of several; `None`: the default one.
    pub track: Option<TrackChoice>,
    /// Whether the program ffmpeg reads what is refused otherwise.
    pub by_ffmpeg: bool,
}
