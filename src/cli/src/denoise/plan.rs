//! Decides what is read and what is written, and refuses what would destroy something, before anything is touched.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::find::{DENOISED, Input, find_inputs, resolved};
use super::place::Place;
use super::read_files::ReadFiles;
use super::{Args, FileFormat};
use crate::io_errors::explained;
use crate::{refuse_other_format, usage};

/// One file's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its source.
    pub input: Place,
    /// Its destination.
    pub output: Place,
    /// Whether it is written as FLAC, else as WAV.
    pub is_flac: bool,
    /// The file for its picture, if wanted.
    pub spectrogram: Option<PathBuf>,
    /// Why it cannot be done, where that is known before the work: the others are done.
    pub refusal: Option<String>,
}

/// The tasks that the command line asks for; makes the folders that it names.
///
/// # Errors
/// A [usage error](crate::Usage): the arguments contradict each other, or an output would replace an input or another
/// output. A folder cannot be made.
pub fn plan(args: &Args) -> Result<Vec<Task>> {
    let inputs = find_inputs(args)?;
    let mut tasks = name_all(args, &inputs)?;
    refuse_overlap(args, &inputs, &mut tasks)?;
    for task in &mut tasks {
        if let Place::File(output) = &task.output {
            let written: &[&str] = match args.format {
                None => &["wav", "wave", "flac"],
                Some(FileFormat::Wav) => &["wav", "wave"],
                Some(FileFormat::Flac) => &["flac"],
            };
            refuse_other_format("-o", output, written)?;
            if task.is_flac && args.float {
                return Err(usage("--float is for WAV: FLAC holds integers only"));
            }
            let too_long = long_name(output);
            task.refusal = task.refusal.take().or(too_long);
        }
        if let Some(picture) = &task.spectrogram {
            refuse_other_format("--spectrogram", picture, &["png"])?;
        }
    }
    let pictures = args.spectrogram.as_deref().filter(|_| tasks.len() > 1);
    for folder in args.out_dir.as_deref().into_iter().chain(pictures) {
        make(folder)?;
    }
    for task in tasks.iter().filter(|task| task.refusal.is_none()) {
        // The tree of the inputs, mirrored.
        let output = args.out_dir.as_deref().and(Some(task.output.path()));
        let picture = pictures.and(task.spectrogram.as_deref());
        for folder in output.into_iter().chain(picture).filter_map(Path::parent) {
            make(folder)?;
        }
    }
    Ok(tasks)
}

fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| {
        explained(format_args!("cannot make the folder {}", folder.display()), &error).into()
    })
}

/// Why a name cannot be written, if no file system takes it.
fn long_name(output: &Path) -> Option<String> {
    /// Bytes of a name on every common file system; on Windows and macOS units of UTF-16, which are fewer.
    const MAX_NAME: usize = 255;
    let name = output.file_name().unwrap_or_default();
    let n_bytes = name.len();
    (n_bytes > MAX_NAME).then(|| {
        format!(
            "its output's name has {n_bytes} bytes, more than the {MAX_NAME} that file systems allow ({}): choose one with -o or --out-dir",
            name.display()
        )
    })
}

fn name_all(args: &Args, inputs: &[Input]) -> Result<Vec<Task>> {
    let is_many = inputs.len() > 1;
    if is_many && args.output.is_some() {
        return Err(usage("-o names one output, but there are several inputs; use --out-dir"));
    }
    if args.inputs.iter().filter(|path| Place::new(path) == Place::Standard).count() > 1 {
        return Err(usage("standard input (-) can be read only once"));
    }
    let extension = args.format.unwrap_or_default().extension();
    let task = |found: &Input| {
        let (input, within) = (found.place(), &found.within);
        let output = match (&args.output, &args.out_dir) {
            (Some(output), _) => Place::new(output),
            (None, Some(folder)) => {
                Place::File(folder.join(within).join(stem(&input)).with_added_extension(extension))
            }
            (None, None) => match &input {
                Place::Standard => Place::Standard,
                Place::File(path) => {
                    let mut name = stem(&input).to_owned();
                    name.push(DENOISED);
                    Place::File(path.with_file_name(name).with_added_extension(extension))
                }
            },
        };
        let is_flac = match (args.format, &output) {
            (Some(format), _) => format == FileFormat::Flac,
            (None, Place::File(path)) => {
                path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("flac"))
            }
            (None, Place::Standard) => false,
        };
        let spectrogram = args.spectrogram.as_ref().map(|path| {
            if is_many {
                path.join(within).join(stem(&input)).with_added_extension("png")
            } else {
                path.clone()
            }
        });
        Task { input, output, is_flac, spectrogram, refusal: found.refusal.clone() }
    };
    let mut tasks: Vec<Task> = inputs.iter().map(task).collect();
    part_names(&mut tasks);
    Ok(tasks)
}

/// Gives outputs and pictures that would have one name distinct ones, by the extension of their input: talk.mp3 and
/// talk.m4a become talk.mp3.wav and talk.m4a.wav.
fn part_names(tasks: &mut [Task]) {
    let mut n_of_name: HashMap<PathBuf, usize> = HashMap::new();
    for task in tasks.iter() {
        for path in [Some(task.output.path()), task.spectrogram.as_deref()].into_iter().flatten() {
            *n_of_name.entry(folded(path)).or_default() += 1;
        }
    }
    let parted = |path: &Path, input: &Place| -> Option<PathBuf> {
        let Place::File(input) = input else { return None };
        let (from, to) = (input.extension()?, path.extension()?);
        (n_of_name[&folded(path)] > 1).then(|| path.with_extension(from).with_added_extension(to))
    };
    let outputs: Vec<_> = tasks.iter().map(|task| parted(task.output.path(), &task.input)).collect();
    let pictures: Vec<_> =
        tasks.iter().map(|task| parted(task.spectrogram.as_deref()?, &task.input)).collect();
    // Equal extensions would not tell them apart.
    let is_distinct = |names: &[Option<PathBuf>], name: &Option<PathBuf>| {
        let folded = |name: &Option<PathBuf>| name.as_deref().map(folded);
        names.iter().filter(|other| folded(other) == folded(name)).count() == 1
    };
    for (index, task) in tasks.iter_mut().enumerate() {
        if let Some(output) = outputs[index].clone().filter(|_| is_distinct(&outputs, &outputs[index])) {
            task.output = Place::File(output);
        }
        if let Some(picture) = pictures[index].clone().filter(|_| is_distinct(&pictures, &pictures[index])) {
            task.spectrogram = Some(picture);
        }
    }
}

/// A path for the comparison of names: where the usual file systems take capitals and small letters for the same, all of
/// its letters are small.
fn folded(path: &Path) -> PathBuf {
    if cfg!(any(windows, target_vendor = "apple")) {
        path.to_string_lossy().to_lowercase().into()
    } else {
        path.to_owned()
    }
}

/// The file's name without folder and extension.
fn stem(place: &Place) -> &OsStr {
    match place {
        Place::Standard => OsStr::new("stdin"),
        Place::File(path) => path.file_stem().unwrap_or(path.as_os_str()),
    }
}

fn refuse_overlap(args: &Args, inputs: &[Input], tasks: &mut [Task]) -> Result<()> {
    let read = ReadFiles::of(inputs);
    let mut n_standard = 0;
    // The tasks that write a file.
    let mut written: HashMap<PathBuf, (PathBuf, Vec<usize>)> = HashMap::new();
    for (index, task) in tasks.iter().enumerate() {
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
            read.refuse(file)?;
            let file = resolved(file);
            written.entry(folded(&file)).or_insert_with(|| (file, Vec::new())).1.push(index);
        }
    }
    for (file, writers) in written.values().filter(|(_, writers)| writers.len() > 1) {
        if tasks.len() == 1 {
            return Err(usage(format!(
                "two outputs would be written to {}: give them different names",
                file.display()
            )));
        }
        for &writer in writers {
            let other = writers.iter().find(|&&other| other != writer).map_or(writer, |&other| other);
            let reason = format!(
                "would be written to {}, as would {}: rename one, or name the folder above both with --recursive",
                file.display(),
                tasks[other].input
            );
            tasks[writer].refusal = Some(reason);
        }
    }
    if let Some(json) = &args.json {
        if Place::new(json) == Place::Standard {
            n_standard += 1;
        } else {
            read.refuse(json)?;
            if written.contains_key(&folded(&resolved(json))) {
                return Err(usage(format!(
                    "two outputs would be written to {}: give them different names",
                    json.display()
                )));
            }
        }
    }
    if n_standard > 1 {
        return Err(usage("only one thing can be written to standard output; give the others file names"));
    }
    Ok(())
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
            is_flac: output.ends_with("flac"),
            spectrogram: None,
            refusal: None,
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
    fn inputs_of_one_name_get_distinct_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let out_dir = folder.path().to_str().unwrap();
        let names = |line: &[&str]| -> Vec<String> {
            let tasks = plan_of(line).unwrap();
            tasks
                .iter()
                .map(|task| task.output.path().file_name().unwrap().to_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            names(&["x/a.wav", "x/a.mp3", "x/b.mp3", "--out-dir", out_dir]),
            ["a.wav.wav", "a.mp3.wav", "b.wav"]
        );
        assert_eq!(names(&["x/a.wav", "--out-dir", out_dir, "--format", "flac"]), ["a.flac"]);
        assert!(plan_of(&["a.wav", "-o", "b.flac"]).unwrap()[0].is_flac);
        assert!(refusal(&["a.wav", "-o", "b.flac", "--format", "wav"]).contains("name it .wav"));
        let tasks = plan_of(&["a.wav", "-o", &"b".repeat(256)]).unwrap();
        assert!(tasks[0].refusal.as_ref().unwrap().contains("256 bytes"));
        // Capitals tell files apart where the file system says so.
        let [plain, capital] = ["a.wav", "A.wav"];
        let [parted, capital_parted] = ["a.wav.wav", "A.mp3.wav"];
        let is_folded = cfg!(any(windows, target_vendor = "apple"));
        assert_eq!(
            names(&["x/a.wav", "x/A.mp3", "--out-dir", out_dir]),
            if is_folded { [parted, capital_parted] } else { [plain, capital] }
        );
        // Only the inputs that cannot be told apart fail.
        let tasks = plan_of(&["x/a.wav", "y/a.wav", "y/b.wav", "--out-dir", out_dir]).unwrap();
        assert!(tasks[0].refusal.as_ref().unwrap().contains("as would y/a.wav"));
        assert!(tasks[1].refusal.as_ref().unwrap().contains("as would x/a.wav"));
        assert_eq!(tasks[2].refusal, None);
    }

    #[test]
    fn folders_are_mirrored() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("in");
        for name in [
            "b.wav",
            "one/a.mp3",
            "one/two/c.MKV",
            "one/notes.txt",
            "one/voice.AMR",
            ".hidden/d.wav",
            "b-denoised.wav",
        ] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let out_dir = root.join("out");
        std::fs::create_dir_all(&out_dir).unwrap();
        std::fs::write(out_dir.join("old.wav"), "x").unwrap();
        let line = [root.to_str().unwrap(), "--recursive", "--out-dir", out_dir.to_str().unwrap()];
        let tasks = plan_of(&line).unwrap();
        let outputs: Vec<&Path> =
            tasks.iter().map(|task| task.output.path().strip_prefix(&out_dir).unwrap()).collect();
        assert_eq!(
            outputs,
            [
                Path::new("b.wav"),
                Path::new("one/a.wav"),
                Path::new("one/two/c.wav"),
                Path::new("one/voice.wav")
            ]
        );
        assert!(out_dir.join("one/two").is_dir());
        let empty = plan_of(&[out_dir.join("one").to_str().unwrap(), "--recursive"]).unwrap_err();
        assert!(empty.is::<crate::Usage>() && empty.to_string().contains("no recording"));
    }

    #[test]
    fn several_inputs_make_several_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = folder.path().join("pictures");
        let tasks = plan_of(&["a.wav", "b.wav", "--spectrogram", pictures.to_str().unwrap()]).unwrap();
        assert_eq!(tasks[1].spectrogram, Some(pictures.join("b.png")));
        assert!(pictures.is_dir());
        let found = folder.path().join("in/sub");
        std::fs::create_dir_all(&found).unwrap();
        for name in ["a.wav", "b.wav"] {
            std::fs::write(found.join(name), "x").unwrap();
        }
        let root = found.parent().unwrap().to_str().unwrap();
        let tasks = plan_of(&[root, "--recursive", "--spectrogram", pictures.to_str().unwrap()]).unwrap();
        assert_eq!(tasks[1].spectrogram, Some(pictures.join("sub/b.png")));
        assert!(pictures.join("sub").is_dir());
        let tasks = plan_of(&["a.wav", "--spectrogram", "p.png"]).unwrap();
        assert_eq!(tasks[0].spectrogram, Some("p.png".into()));
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(refusal(&["a.wav", "b.wav", "-o", "c.wav"]).contains("--out-dir"));
        assert!(refusal(&["-", "-"]).contains("only once"));
        assert!(plan_of(&["a.wav", "--json", "out.json"]).is_ok());
        assert!(refusal(&["a.wav", "--json", "a-denoised.wav"]).contains("two outputs"));
        assert!(refusal(&["a.wav", "--spectrogram", "./a-denoised.wav"]).contains("two outputs"));
        assert!(refusal(&["a.wav", "-o", "b.MP3"]).contains("name it .wav"));
        assert!(refusal(&["a.wav", "--spectrogram", "b.svg"]).contains("name it .png"));
        for name in ["b", "b.WAV", "b.part", "/dev/null"] {
            assert!(plan_of(&["a.wav", "-o", name]).is_ok(), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn named_pipes_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for name in ["in.wav", "out.wav"] {
            assert!(std::process::Command::new("mkfifo").arg(path(name)).status().unwrap().success());
        }
        // To open one of them would wait for its other end.
        std::fs::write(path("a.wav"), "x").unwrap();
        assert!(plan_of(&[&path("in.wav"), "-o", &path("a.wav")]).is_ok());
        assert!(plan_of(&[&path("a.wav"), "-o", &path("out.wav")]).is_ok());
        assert!(refusal(&[&path("in.wav"), "-o", &path("in.wav")]).contains("never overwritten"));
    }

    #[test]
    fn an_input_is_never_an_output_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("a.wav"), "x").unwrap();
        std::fs::hard_link(path("a.wav"), path("hard.wav")).unwrap();
        let names = ["a.wav", "./a.wav", "hard.wav"].map(path).into_iter();
        #[cfg(unix)]
        let names = {
            std::os::unix::fs::symlink(path("a.wav"), path("soft.wav")).unwrap();
            std::os::unix::fs::symlink(folder.path(), path("door")).unwrap();
            names.chain(["soft.wav", "door/a.wav"].map(path))
        };
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
