//! The command that makes a readable file of one that is refused, as a shell takes it.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use super::options::{Options, TrackChoice};

/// The program that reads what Tacet does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// ffmpeg, with these options for its input, and a space behind each.
    Ffmpeg(&'static str),
    /// A command with `INPUT` and `OUTPUT` in it, for what ffmpeg gives up on, or guesses at.
    Command(&'static str),
}

/// The source of the bytes, for a command that reads them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// Standard input or another pipe, which is over once it was read.
    Pipe,
}

/// An input that is refused, and how it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    origin: Origin,
    track: Option<TrackChoice>,
    /// Whether ffmpeg was to read it.
    is_tried: bool,
}

impl Refused {
    /// A file, or `None` for a pipe.
    pub fn new(path: Option<&Path>, options: &Options) -> Self {
        let origin = path.map_or(Origin::Pipe, |path| Origin::File(path.to_owned()));
        Self { origin, track: options.track.clone(), is_tried: options.by_ffmpeg }
    }

    /// The advice, with the command to copy.
    pub fn advice(&self, program: Program) -> String {
        let map = match &self.track {
            Some(track) => format!(" -map {}", quoted(&stream(track))),
            None => String::new(),
        };
        let (input, output) = match &self.origin {
            Origin::File(path) => {
                let kind = if matches!(program, Program::Ffmpeg(_)) { "flac" } else { "wav" };
                (quoted(&operand(path)).to_string(), quoted(&operand(&beside(path, kind))).to_string())
            }
            Origin::Pipe => ("-".to_owned(), "-".to_owned()),
        };
        let is_pipe = self.origin == Origin::Pipe;
        let command = match program {
            Program::Ffmpeg(options) if is_pipe => format!("ffmpeg {options}-i -{map} -vn -f wav -"),
            Program::Ffmpeg(options) => {
                let or = if self.is_tried { "" } else { " (or let --ffmpeg do it)" };
                format!("ffmpeg {options}-i {input}{map} -vn -c:a flac {output}{or}")
            }
            Program::Command(words) => words.replace("INPUT", &input).replace("OUTPUT", &output),
        };
        match is_pipe {
            true => format!("convert it on its way: ... | {command} | tacet denoise - ..."),
            false => format!("convert it first: {command}"),
        }
    }
}

/// A track as ffmpeg's option `-map` names it.
pub fn stream(track: &TrackChoice) -> String {
    match track {
        TrackChoice::Number(number) => format!("0:a:{}", number.get() - 1),
        TrackChoice::Language(language) => format!("0:a:m:language:{language}"),
    }
}

/// The name of the converted file, in the folder of the one it is made of, and never that one.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let is_same = |path: &Path| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(extension));
    if !is_same(path) {
        return path.with_extension(extension);
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-converted.{extension}"));
    path.with_file_name(name)
}

/// A path that a program takes for nothing but a file: not an option, not a protocol.
fn operand(path: &Path) -> String {
    let text = path.display().to_string();
    let has_protocol = !cfg!(windows) && text.split('/').next().is_some_and(|first| first.contains(':'));
    if text.starts_with('-') || has_protocol { format!("./{text}") } else { text }
}

/// An argument for a shell: of POSIX, on Windows the command prompt.
fn quoted(argument: &str) -> Quoted {
    Quoted { argument: argument.to_owned(), is_windows: cfg!(windows) }
}

struct Quoted {
    argument: String,
    is_windows: bool,
}

impl Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = if self.is_windows { "_-./:\\" } else { "_-./:" };
        let is_plain = |c: char| c.is_alphanumeric() || plain.contains(c);
        match self {
            Self { argument, .. } if !argument.is_empty() && argument.chars().all(is_plain) => {
                f.write_str(argument)
            }
            // A quote cannot be part of a name there.
            Self { argument, is_windows: true } => write!(f, "\"{argument}\""),
            Self { argument, is_windows: false } => write!(f, "'{}'", argument.replace('\'', r"'\''")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::refusal::LAME;

    #[cfg(unix)]
    #[test]
    fn the_command_names_the_file_and_one_beside_it() {
        let advice = |path: &str, program: Program| {
            Refused::new(Some(Path::new(path)), &Options::default()).advice(program)
        };
        for (path, command) in [
            ("a.avi", "ffmpeg -i a.avi -vn -c:a flac a.flac"),
            ("/x/my film's.avi", r"ffmpeg -i '/x/my film'\''s.avi' -vn -c:a flac '/x/my film'\''s.flac'"),
            ("-v.avi", "ffmpeg -i ./-v.avi -vn -c:a flac ./-v.flac"),
            ("10:30.wma", "ffmpeg -i ./10:30.wma -vn -c:a flac ./10:30.flac"),
            ("x/$HOME.wma", "ffmpeg -i 'x/$HOME.wma' -vn -c:a flac 'x/$HOME.flac'"),
            ("x/b.FLAC", "ffmpeg -i x/b.FLAC -vn -c:a flac x/b-converted.flac"),
        ] {
            let text = advice(path, Program::Ffmpeg(""));
            assert_eq!(text, format!("convert it first: {command} (or let --ffmpeg do it)"));
        }
        let text = advice("x/a b.mp3", LAME);
        assert_eq!(text, "convert it first: lame --decode --mp3input 'x/a b.mp3' 'x/a b.wav'");
    }

    #[test]
    fn a_pipe_is_converted_on_its_way() {
        let options = Options { track: "2".parse().ok(), by_ffmpeg: false };
        let text = Refused::new(None, &options).advice(Program::Ffmpeg(""));
        assert!(text.contains("ffmpeg -i - -map 0:a:1 -vn -f wav - | tacet denoise -"), "{text}");
        let text = Refused::new(None, &Options::default()).advice(LAME);
        assert!(text.contains("lame --decode --mp3input - - | tacet denoise -"), "{text}");
    }

    #[test]
    fn the_command_prompt_takes_double_quotes() {
        let quoted = |argument: &str| Quoted { argument: argument.to_owned(), is_windows: true }.to_string();
        assert_eq!(quoted(r"C:\My Films\it's.avi"), r#""C:\My Films\it's.avi""#);
        assert_eq!(quoted(r"C:\a.avi"), r"C:\a.avi");
    }
}
