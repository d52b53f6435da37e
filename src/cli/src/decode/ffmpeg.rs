//! Formats that Tacet does not read itself, by ffmpeg: a child process whose samples come through a pipe. Only where
//! `--ffmpeg` asks for it.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

use super::convert::stream;
use super::headers::plain_layout;
use super::input::Input;
use super::metadata::Metadata;
use super::options::Options;
use super::plain::PlainSource;
use super::refusal;
use super::source::{Findings, Format, Source, SourceDepth};
use crate::io_errors::explained;

/// A file that ffmpeg decodes.
pub struct FfmpegSource {
    samples: PlainSource,
    format: Format,
    child: Child,
    /// ffmpeg's error output.
    errors: File,
    note: String,
}

impl FfmpegSource {
    /// Starts ffmpeg with some options in front of a file that was refused for `reason`.
    ///
    /// # Errors
    /// There is no ffmpeg, or it does not read the file either.
    pub fn open(path: &Path, flags: &str, options: &Options, reason: &anyhow::Error) -> Result<Self> {
        let errors = tempfile::tempfile()
            .map_err(|error| explained("cannot make a temporary file for ffmpeg's messages", &error))?;
        let mut file = std::ffi::OsString::from("file:");
        file.push(path);
        let mut command = Command::new("ffmpeg");
        // A playlist in disguise opens nothing but files.
        command.args(["-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe"]);
        command.args(flags.split_whitespace()).arg("-i").arg(file);
        if let Some(track) = &options.track {
            command.args(["-map", &stream(track)]);
        }
        command.args(["-vn", "-sn", "-dn", "-c:a", "pcm_f32le", "-f", "wav", "-"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors.try_clone()?);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                anyhow!(
                    "{reason:#}; --ffmpeg would do it, but the program ffmpeg is not installed here: install it, or \
                     convert the file where it is"
                )
            }
            _ => anyhow!("{reason:#}; --ffmpeg would do it, but ffmpeg does not start ({error}): see that `ffmpeg -version` works"),
        })?;
        let output = child.stdout.take().context("ffmpeg has no output; try again")?;
        let mut input = Input::pipe(Box::new(output));
        let opened = plain_layout(&mut input).and_then(|layout| match layout {
            Some(layout) => PlainSource::new(input, layout),
            None => bail!("it wrote nothing"),
        });
        let samples = match opened {
            Ok(samples) => samples,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                let words = words(errors).unwrap_or_else(|| format!("{error:#}"));
                return Err(anyhow!(
                    "{reason:#}; --ffmpeg tried it, but ffmpeg does not read it either ({words})"
                ));
            }
        };
        let format = Format {
            name: "read by ffmpeg".to_owned(),
            // It does not tell the depth of the source: one that holds any.
            depth: SourceDepth::Int(24),
            n_samples: None,
            ..samples.format().clone()
        };
        let note = "was read by ffmpeg, as Tacet does not read it".to_owned();
        Ok(Self { samples, format, child, errors, note })
    }
}

/// The last line that ffmpeg wrote, if any.
fn words(mut errors: File) -> Option<String> {
    let mut text = Vec::new();
    errors.seek(SeekFrom::Start(0)).ok()?;
    errors.take(1 << 16).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

impl Source for FfmpegSource {
    fn format(&self) -> &Format {
        &self.format
    }

    fn exact_length(&self) -> Option<u64> {
        None
    }

    fn read(&mut self, block: &mut Vec<Vec<f32>>) -> Result<bool> {
        if self.samples.read(block)? {
            return Ok(true);
        }
        let status = self.child.wait().map_err(|error| explained("cannot wait for ffmpeg", &error))?;
        if !status.success() {
            let words = words(self.errors.try_clone()?).unwrap_or_else(|| "it says nothing".to_owned());
            return Err(refusal::refused(format!(
                "was given up by ffmpeg on the way ({status}: {words}): it is damaged; for what can be read of it,"
            )));
        }
        Ok(false)
    }

    fn findings(&self) -> Findings {
        Findings { notes: vec![self.note.clone()], ..Findings::default() }
    }

    fn metadata(&self) -> &Metadata {
        self.samples.metadata()
    }
}

impl Drop for FfmpegSource {
    fn drop(&mut self) {
        // Ended already, if it was read to its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
