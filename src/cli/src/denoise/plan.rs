//! Decides what is read and what is written, and refuses what would destroy something, before anything is touched.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use same_file::is_same_file;

use super::Args;
use crate::{refuse_other_format, usage};

/// A path that means standard input or output.
const STANDARD: &str = "-";

/// Where audio comes from or goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard input or output.
    Standard,
    /// A file.
    File(PathBuf),
}

impl Place {
    fn new(path: &Path) -> Self {
        if path == Path::new(STANDARD) { Self::Standard } else { Self::File(path.to_owned()) }
    }

    /// As it is written on the command line.
    pub fn path(&self) -> &Path {
        match self {
            Self::Standard => Path::new(STANDARD),
            Self::File(path) => path,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Standard => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// One file's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Where it comes from.
    pub input: Place,
    /// Where it goes to.
    pub output: Place,
    /// Where its picture goes to, if wanted.
    pub spectrogram: Option<PathBuf>,
}

/// The tasks that the command line asks for; makes the folders that it names.
///
/// # Errors
/// A [usage error](crate::Usage): the arguments contradict each other, or an output would replace an input or another
/// output. A folder cannot be made.
pub fn plan(args: &Args) -> Result<Vec<Task>> {
    let tasks = name_all(args)?;
    refuse_overlap(args, &tasks)?;
    for task in &tasks {
        if let Place::File(output) = &task.output {
            refuse_other_format("-o", output, &["wav", "wave"])?;
        }
        if let Some(picture) = &task.spectrogram {
            refuse_other_format("--spectrogram", picture, &["png"])?;
        }
    }
    let pictures = args.spectrogram.as_deref().filter(|_| tasks.len() > 1);
    for folder in args.out_dir.as_deref().into_iter().chain(pictures) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    Ok(tasks)
}

fn name_all(args: &Args) -> Result<Vec<Task>> {
    let is_many = args.inputs.len() > 1;
    if is_many && args.output.is_some() {
        return Err(usage("-o names one output, but there are several inputs; use --out-dir"));
    }
    if args.inputs.iter().filter(|path| path.as_path() == Path::new(STANDARD)).count() > 1 {
        return Err(usage("standard input (-) can be read only once"));
    }
    let task = |input: &PathBuf| {
        let input = Place::new(input);
        let output = match (&args.output, &args.out_dir) {
            (Some(output), _) => Place::new(output),
            (None, Some(folder)) => Place::File(folder.join(stem(&input)).with_extension_added("wav")),
            (None, None) => match &input {
                Place::Standard => Place::Standard,
                Place::File(path) => {
                    let mut name = stem(&input).to_owned();
                    name.push("-denoised.wav");
                    Place::File(path.with_file_name(name))
                }
            },
        };
        let spectrogram = args.spectrogram.as_ref().map(|path| {
            if is_many { path.join(stem(&input)).with_extension_added("png") } else { path.clone() }
        });
        Task { input, output, spectrogram }
    };
    Ok(args.inputs.iter().map(task).collect())
}

/// The file's name without folder and extension.
fn stem(place: &Place) -> &OsStr {
    match place {
        Place::Standard => OsStr::new("stdin"),
        Place::File(path) => path.file_stem().unwrap_or(path.as_os_str()),
    }
}

/// Unlike `with_extension`, keeps what looks like an extension in the stem ("take 1.2").
trait WithExtensionAdded {
    fn with_extension_added(self, extension: &str) -> PathBuf;
}

impl WithExtensionAdded for PathBuf {
    fn with_extension_added(self, extension: &str) -> PathBuf {
        let mut path = self.into_os_string();
        path.push(".");
        path.push(extension);
        path.into()
    }
}

fn refuse_overlap(args: &Args, tasks: &[Task]) -> Result<()> {
    let mut n_standard = 0;
    let mut written: HashMap<PathBuf, &Path> = HashMap::new();
    for task in tasks {
        if task.output == Place::Standard {
            n_standard += 1;
            if io::stdout().is_terminal() {
                return Err(usage("audio is not written to a terminal; use -o FILE, or pipe it on"));
            }
        }
        let files = [
            Some(task.output.path()).filter(|_| task.output != Place::Standard),
            task.spectrogram.as_deref(),
        ];
        for file in files.into_iter().flatten() {
            refuse_input(args, file)?;
            if written.insert(resolved(file), task.input.path()).is_some() {
                return Err(usage(format!(
                    "two outputs would be written to {}; rename an input",
                    file.display()
                )));
            }
        }
    }
    if let Some(json) = &args.json {
        if Place::new(json) == Place::Standard {
            n_standard += 1;
        } else {
            refuse_input(args, json)?;
            if written.contains_key(&resolved(json)) {
                return Err(usage(format!("two outputs would be written to {}", json.display())));
            }
        }
    }
    if n_standard > 1 {
        return Err(usage("only one thing can be written to standard output; give the others file names"));
    }
    Ok(())
}

fn refuse_input(args: &Args, file: &Path) -> Result<()> {
    for input in args.inputs.iter().filter(|input| input.as_path() != Path::new(STANDARD)) {
        // Also true for links of both kinds. Files that do not exist are nobody's.
        if is_same_file(input, file).unwrap_or(false) || resolved(input) == resolved(file) {
            return Err(usage(format!(
                "the output {} is the input {}; inputs are never overwritten",
                file.display(),
                input.display()
            )));
        }
    }
    Ok(())
}

/// A path that two names of one file share, also of a file that does not exist yet.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn plan_of(line: &[&str]) -> Result<Vec<Task>> {
        plan(&Line::try_parse_from([&["tacet"], line].concat()).unwrap().args)
    }

    fn refusal(line: &[&str]) -> String {
        let error = plan_of(line).unwrap_err();
        assert!(error.is::<crate::Usage>(), "{error}");
        error.to_string()
    }

    #[test]
    fn outputs_get_names_of_their_own() {
        let task = |input: &str, output: &str| Task {
            input: Place::File(input.into()),
            output: Place::File(output.into()),
            spectrogram: None,
        };
        assert_eq!(plan_of(&["a/talk.flac"]).unwrap(), [task("a/talk.flac", "a/talk-denoised.wav")]);
        assert_eq!(plan_of(&["take 1.2.mp3"]).unwrap(), [task("take 1.2.mp3", "take 1.2-denoised.wav")]);
        assert_eq!(plan_of(&["a.wav", "-o", "b.wav"]).unwrap(), [task("a.wav", "b.wav")]);
        let folder = tempfile::tempdir().unwrap();
        let out_dir = folder.path().join("new/folder");
        let out_dir = out_dir.to_str().unwrap();
        assert_eq!(
            plan_of(&["x/a.wav", "y/b.c.mp3", "--out-dir", out_dir]).unwrap(),
            [task("x/a.wav", &format!("{out_dir}/a.wav")), task("y/b.c.mp3", &format!("{out_dir}/b.c.wav"))]
        );
        assert!(Path::new(out_dir).is_dir());
    }

    #[test]
    fn several_inputs_make_several_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = folder.path().join("pictures");
        let tasks = plan_of(&["a.wav", "b.wav", "--spectrogram", pictures.to_str().unwrap()]).unwrap();
        assert_eq!(tasks[1].spectrogram, Some(pictures.join("b.png")));
        assert!(pictures.is_dir());
        let tasks = plan_of(&["a.wav", "--spectrogram", "p.png"]).unwrap();
        assert_eq!(tasks[0].spectrogram, Some("p.png".into()));
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(refusal(&["a.wav", "b.wav", "-o", "c.wav"]).contains("--out-dir"));
        assert!(refusal(&["-", "-"]).contains("only once"));
        assert!(refusal(&["x/a.wav", "y/a.mp3", "--out-dir", "."]).contains("two outputs"));
        assert!(refusal(&["a.wav", "--json", "a-denoised.wav"]).contains("two outputs"));
        assert!(refusal(&["a.wav", "--spectrogram", "./a-denoised.wav"]).contains("two outputs"));
        assert!(refusal(&["a.wav", "-o", "b.MP3"]).contains("name it .wav"));
        assert!(refusal(&["a.wav", "--spectrogram", "b.svg"]).contains("name it .png"));
        for name in ["b", "b.WAV", "b.part", "/dev/null"] {
            assert!(plan_of(&["a.wav", "-o", name]).is_ok(), "{name}");
        }
    }

    #[test]
    fn an_input_is_never_an_output_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("a.wav"), "x").unwrap();
        std::fs::hard_link(path("a.wav"), path("hard.wav")).unwrap();
        let mut names = vec![path("a.wav"), path("./a.wav"), path("hard.wav")];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(path("a.wav"), path("soft.wav")).unwrap();
            std::os::unix::fs::symlink(folder.path(), path("door")).unwrap();
            names.extend([path("soft.wav"), path("door/a.wav")]);
        }
        for name in names {
            assert!(refusal(&[&path("a.wav"), "-o", &name]).contains("never overwritten"), "{name}");
            assert!(refusal(&[&path("a.wav"), "--json", &name]).contains("never overwritten"), "{name}");
        }
        // Nor is one file's output another's input.
        std::fs::write(path("b.wav"), "x").unwrap();
        let out_dir = folder.path().to_str().unwrap();
        assert!(
            refusal(&[&path("b.wav"), &path("a.wav"), "--out-dir", out_dir]).contains("never overwritten")
        );
    }
}
