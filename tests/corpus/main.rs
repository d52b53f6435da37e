//! Every container, codec, header variant and damage of `make.py`, decoded and held against what it was made from and
//! against ffmpeg's decoder. Prints the table of what differs; the README holds the one of what is read.
//!
//! Run by `cargo xtask test corpus`, which sets `TACET_CORPUS`: the folder for the files. They are made there if it holds
//! none, or older ones than the script.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tacet_cli::decode::{Blemishes, Decoder, Options};

/// Samples by which a recording is looked for.
const MAX_LAG: i64 = 700;
/// Samples by which the phase of a low bit rate may seem to move.
const MAX_PHASE: i64 = 3;
/// A length that is not exact is true within this, in seconds.
const MAX_OFF_S: f64 = 0.03;

/// How far a lossless decoder may be from ffmpeg's, as a part of the signal: rounding to 24 bits.
const MAX_DIFFERENCE: f64 = 1e-6;
/// A lossy one: ffmpeg's own Opus decoder differs from libopus, its MP2 decoder rounds to 24 bits.
const MAX_LOSSY_DIFFERENCE: f64 = 2e-3;
/// Files that ffmpeg reads otherwise: it passes over unusual WAVs' bits and second runs of samples, loses the first frame
/// of a FLAC behind metadata of a wrong length, and its own Opus decoder resamples the lower band of speech by another
/// filter than libopus (opusdec and Tacet agree to 3e-8). It drops fragments that are stored behind later ones, and leaves
/// no room for a late start that durations tell.
const DIFFERENT: [&str; 14] = [
    "hybrid_pcm.mov",
    "pieces_late.mov",
    "stretched_first.mov",
    "swapped_pieces.mov",
    "second_first_pieces.mov",
    "backwards_pieces.mov",
    "plain18in32.wav",
    "rifx.wav",
    "data_twice.wav",
    "metadata_within_frames.flac",
    "metadata_longer.flac",
    "opus24kx1.opus",
    "opus24kx2.opus",
    "opus24kx6.opus",
];

/// The containers' names in reports, and those that people know.
const CONTAINERS: [(&str, &str); 17] = [
    ("wav", "WAV (RIFF)"),
    ("rifx", "WAV, big-endian (RIFX)"),
    ("rf64", "RF64"),
    ("bw64", "BW64"),
    ("w64", "Sony Wave64"),
    ("aiff", "AIFF"),
    ("aiff-c", "AIFF-C"),
    ("au", "AU"),
    ("caf", "CAF"),
    ("flac", "FLAC"),
    ("mp3", "MP3"),
    ("mp2", "MP2"),
    ("adts", "AAC in ADTS"),
    ("latm", "AAC in LATM"),
    ("ogg", "Ogg"),
    ("isomp4", "MP4, M4A, MOV"),
    ("matroska", "Matroska, WebM"),
];

/// A line of `cases.tsv`.
struct Case {
    name: String,
    group: String,
    expect: String,
    reference: String,
    tolerance: f64,
    notes: String,
    why: String,
    n_ffmpeg: i64,
}

impl Case {
    fn read(line: &str) -> Self {
        let [name, group, expect, reference, tolerance, notes, why, n_ffmpeg] =
            line.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        Self {
            name: name.to_owned(),
            group: group.to_owned(),
            expect: expect.to_owned(),
            reference: reference.to_owned(),
            tolerance: tolerance.parse().unwrap(),
            notes: notes.to_owned(),
            why: why.to_owned(),
            n_ffmpeg: n_ffmpeg.parse().unwrap(),
        }
    }
}

/// A decoded file.
struct Decoded {
    rate_hz: u32,
    channels: Vec<Vec<f32>>,
    words: String,
    name: String,
}

fn decode(path: &Path) -> anyhow::Result<Decoded> {
    let mut decoder = Decoder::open(path, &Options::default())?;
    let format = decoder.format().clone();
    let exact = decoder.exact_length();
    let mut channels = vec![Vec::new(); format.n_channels];
    while let Some(block) = decoder.next_block()? {
        for (all, block) in channels.iter_mut().zip(block) {
            all.extend_from_slice(block);
        }
    }
    let Blemishes { n_damaged_samples, n_gap_samples, n_missing, notes, .. } = decoder.blemishes();
    let n_samples = channels[0].len() as u64;
    // A pipe's length is what its header says.
    if n_missing == 0
        && path.is_file()
        && let Some(exact) = exact
    {
        assert_eq!(exact, n_samples, "{}: an exact length that is none", path.display());
    }
    let mut words = notes.join("; ");
    for (n, word) in
        [(n_damaged_samples, "became silence"), (n_gap_samples, "became silence"), (n_missing, "cut off")]
    {
        if n > 0 {
            words += &format!("; {n} samples {word}");
        }
    }
    Ok(Decoded { rate_hz: format.rate_hz, channels, words, name: format.name })
}

/// The folder of the corpus, which the first test to ask makes.
fn folder() -> Option<PathBuf> {
    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(make);
    FOLDER.clone()
}

fn make() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("TACET_CORPUS").map(PathBuf::from) else {
        println!("skipped: `cargo xtask test corpus` runs this");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/make.py");
    let written = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    if written(&folder.join("cases.tsv")).is_some_and(|list| Some(list) > written(&script)) {
        return Some(folder);
    }
    let tools = ["ffmpeg", "ffprobe", "sox", "lame", "flac", "opusenc", "oggenc"];
    let lacks = tools.iter().find(|tool| Command::new(tool).arg("-version").output().is_err());
    if let Some(tool) = lacks {
        assert!(std::env::var_os("TACET_REQUIRE_FFMPEG").is_none(), "{tool} is required");
        println!("skipped: {tool} is not installed");
        return None;
    }
    std::fs::create_dir_all(&folder).unwrap();
    high_efficiency(&folder);
    let status = Command::new("python3").arg(script).arg(&folder).status().expect("python3");
    assert!(status.success(), "the corpus could not be made");
    Some(folder)
}

/// HE-AAC in ADTS, mono, stereo and parametric stereo, by syom's encoder: Debian has none.
fn high_efficiency(folder: &Path) {
    let tone = |channel: usize| -> Vec<f32> {
        let level = |t: f32| 0.3 + 0.25 * (11.0 * t + 4.0 * t * t + channel as f32).sin();
        let sample = |i: u32| {
            let t = i as f32 / 48_000.0;
            level(t) * ((2_000.0 * t + 900.0 * t * t).sin() + 0.3 * (30_000.0 * t).sin())
        };
        (0..60_000).map(sample).collect()
    };
    let options = syom::EncodeOptions::adts;
    for (name, n_channels, options) in [
        ("he1.aac", 1, options().with_he(true)),
        ("he2.aac", 2, options().with_he(true)),
        ("he_ps.aac", 2, options().with_he_v2(true)),
    ] {
        let channels: Vec<Vec<f32>> = (0..n_channels).map(tone).collect();
        let bytes = syom::encode_with(&channels, 48_000, &options).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

/// How much what was decoded differs from what ffmpeg makes of a file, as a part of the signal (rms), at the places where
/// the two fit; and by how many samples it is later. `None` where they cannot be compared.
fn against_ffmpeg(path: &Path, decoded: &Decoded) -> Option<(i64, f64)> {
    let bytes = std::fs::read(path).ok()?;
    let n_channels = decoded.channels.len();
    let samples: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let of_ffmpeg =
        |channel: usize| -> Vec<f32> { samples.iter().skip(channel).step_by(n_channels).copied().collect() };
    let first = of_ffmpeg(0);
    if first.len() < 8_000 || decoded.channels[0].len() < 8_000 {
        return None;
    }
    let lag = lag(&first, &decoded.channels[0], 3_200);
    let from = first.len() / 4;
    let (mut difference, mut power) = (0.0, 0.0);
    for (channel, ours) in decoded.channels.iter().enumerate() {
        let theirs = of_ffmpeg(channel);
        for (at, &sample) in theirs.iter().enumerate().take(from + 3_000).skip(from) {
            let ours = usize::try_from(at as i64 + lag).ok().and_then(|at| ours.get(at))?;
            difference += f64::from(ours - sample).powi(2);
            power += f64::from(sample).powi(2);
        }
    }
    (power > 0.0).then(|| (lag, (difference / power).sqrt()))
}

/// Samples by which `signal` is behind `reference`, by their middles.
fn lag(reference: &[f32], signal: &[f32], reach: i64) -> i64 {
    let middle = &reference[reference.len() / 4..(reference.len() / 4 + 3_000).min(reference.len() * 3 / 4)];
    let from = (reference.len() / 4) as i64;
    // By the least difference: the signal's level moves, and correlation alone prefers the louder places.
    let difference = |lag: i64| -> f32 {
        let start = usize::try_from(from + lag).unwrap_or(usize::MAX);
        let Some(signal) = signal.get(start..start.saturating_add(middle.len())) else { return f32::MAX };
        middle.iter().zip(signal).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    (-reach..=reach).min_by(|&a, &b| difference(a).total_cmp(&difference(b))).unwrap()
}

/// The fault of a file, if any.
fn verdict(
    case: &Case,
    decoded: anyhow::Result<Decoded>,
    folder: &Path,
    references: &mut BTreeMap<String, Decoded>,
) -> Result<String, String> {
    let decoded = match decoded {
        Err(error) => {
            let words = format!("{error:#}");
            if case.expect != "refused" {
                return Err(format!("refused: {words}"));
            }
            let is_named = words.contains(&case.notes);
            return if is_named {
                Ok("refused".to_owned())
            } else {
                Err(format!("refused, but says: {words}"))
            };
        }
        Ok(_) if case.expect == "refused" => return Err("is read".to_owned()),
        Ok(decoded) => decoded,
    };
    let is_told = match case.notes.as_str() {
        "quiet" => decoded.words.is_empty(),
        word => decoded.words.contains(word),
    };
    if !is_told {
        return Err(format!("expected to say \"{}\", says \"{}\"", case.notes, decoded.words));
    }
    let n_samples = decoded.channels[0].len() as i64;
    if case.expect == "part" {
        return if n_samples > 1_000 { Ok(decoded.name) } else { Err(format!("{n_samples} samples only")) };
    }
    if case.expect == "length" {
        // Negative: where a packet ends decides, or where a file was cut.
        let expected = case.tolerance.abs() as i64;
        let off = (expected - n_samples).abs();
        let allowed = if case.tolerance < 0.0 { MAX_OFF_S * f64::from(decoded.rate_hz) } else { 1.0 };
        return if off as f64 <= allowed {
            Ok(decoded.name)
        } else {
            Err(format!("{n_samples} samples, not {expected}"))
        };
    }
    let reference = references.entry(case.reference.clone()).or_insert_with(|| {
        decode(&folder.join(&case.reference)).unwrap_or_else(|error| panic!("{}: {error:#}", case.reference))
    });
    let n_expected = reference.channels[0].len() as i64;
    if decoded.rate_hz != reference.rate_hz || decoded.channels.len() != reference.channels.len() {
        return Err(format!("{} Hz, {} channels", decoded.rate_hz, decoded.channels.len()));
    }
    for (index, (channel, expected)) in decoded.channels.iter().zip(&reference.channels).enumerate() {
        match case.expect.as_str() {
            "equal" => {
                if n_samples != n_expected {
                    return Err(format!("{n_samples} samples, not {n_expected}"));
                }
                let off = channel.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                if f64::from(off) > case.tolerance {
                    return Err(format!("channel {index} is off by {off}"));
                }
            }
            "aligned" => {
                let n_more = n_samples - n_expected;
                if n_more.abs() > case.tolerance as i64 || n_more < 0 {
                    return Err(format!("{n_samples} samples, not {n_expected}"));
                }
                let lag = lag(expected, channel, MAX_LAG);
                if lag.abs() > MAX_PHASE {
                    return Err(format!("channel {index} is {lag} samples late"));
                }
            }
            "late" => {
                let lag = lag(expected, channel, MAX_LAG);
                let n_more = n_samples - n_expected;
                // A length that no header states is true within 30 ms, or a stated tolerance for longer packets of low rates.
                let allowed = case.tolerance.max(MAX_OFF_S * f64::from(decoded.rate_hz));
                if case.tolerance > 0.0 && case.why.is_empty() {
                    return Err("a tolerance without a reason".to_owned());
                }
                if lag.abs() > MAX_PHASE
                    || n_more < -(MAX_OFF_S * f64::from(decoded.rate_hz)) as i64
                    || n_more as f64 > allowed
                {
                    return Err(format!("{n_more} samples more, {lag} late"));
                }
            }
            other => panic!("{other}"),
        }
    }
    Ok(decoded.name)
}

/// Why lengths differ from ffmpeg's in a group of files, where the case does not say it.
fn reason(case: &Case) -> &str {
    match case.group.as_str() {
        _ if !case.why.is_empty() => &case.why,
        "refused" => "not read by Tacet",
        "wav headers" | "aiff headers" | "au headers" | "from a pipe" => {
            "ffmpeg believes the header, or refuses it"
        }
        "mp3 tags" => "behind the tag ffmpeg does not look for the encoder's header",
        "mp3 joined" => "ffmpeg removes the first part's delay only",
        "mp4 edits" => "ffmpeg hands out whole packets, and no silence",
        group if group.contains("AAC") || group.contains("mp4") => "ffmpeg keeps the last packet's padding",
        group if group.contains("damage") => "ffmpeg drops or repeats what is damaged",
        group if group.contains("Vorbis") => "ffmpeg keeps what the first page cuts off, or the last",
        _ => "",
    }
}

/// Formats read, by container: the table of the README.
fn table(read: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut lines = vec!["| container | codecs |".to_owned(), "|---|---|".to_owned()];
    for (id, name) in CONTAINERS {
        if let Some(codecs) = read.get(id) {
            let codecs: Vec<&str> = codecs.iter().map(String::as_str).collect();
            lines.push(format!("| {name} | {} |", codecs.join(", ")));
        }
    }
    let unknown: Vec<_> = read.keys().filter(|id| CONTAINERS.iter().all(|(known, _)| known != id)).collect();
    assert!(unknown.is_empty(), "containers without a name: {unknown:?}");
    lines.join("\n")
}

/// A file's samples are the same through a pipe, in every container, whole or damaged.
#[cfg(unix)]
#[test]
fn a_pipe_gives_the_same_samples() {
    let Some(folder) = folder() else { return };
    let pipes = tempfile::tempdir().unwrap();
    let list = std::fs::read_to_string(folder.join("cases.tsv")).unwrap();
    let mut containers = BTreeSet::new();
    for case in list.lines().map(Case::read) {
        let (path, pipe) = (folder.join(&case.name), pipes.path().join(&case.name));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let bytes = std::fs::read(&path).unwrap();
        let piped = std::thread::scope(|scope| {
            // A reader that gives up early closes the pipe.
            scope.spawn(|| std::fs::write(&pipe, &bytes));
            decode(&pipe)
        });
        match (decode(&path), piped) {
            (Ok(by_name), Ok(piped)) => {
                assert_eq!(by_name.name, piped.name, "{}", case.name);
                assert!(by_name.channels == piped.channels, "{}: other samples through a pipe", case.name);
                containers.insert(by_name.name.split(", ").next().unwrap().to_owned());
            }
            (Err(_), Err(_)) => {}
            (by_name, piped) => {
                panic!("{}: by name {:?}, by pipe {:?}", case.name, by_name.err(), piped.err())
            }
        }
    }
    assert_eq!(containers.len(), CONTAINERS.len(), "{containers:?}");
}

#[test]
fn every_recording_is_read_whole() {
    let Some(folder) = folder() else { return };
    let list = std::fs::read_to_string(folder.join("cases.tsv")).unwrap();
    let cases: Vec<Case> = list.lines().map(Case::read).collect();
    assert!(cases.len() >= 150, "{}", cases.len());
    let mut references = BTreeMap::new();
    let mut failures = Vec::new();
    let mut groups: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut read: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    println!(
        "| file | kind | Tacet | ffmpeg | later by | difference | why they differ |\n|---|---|---|---|---|---|---|"
    );
    for case in &cases {
        let decoded = decode(&folder.join(&case.name));
        let n_samples = decoded.as_ref().map_or(-1, |decoded| decoded.channels[0].len() as i64);
        let compared = decoded
            .as_ref()
            .ok()
            .filter(|_| {
                let is_whole = matches!(&*case.expect, "equal" | "aligned" | "late");
                case.n_ffmpeg > 0 && (is_whole || case.group.ends_with("HE-AAC"))
            })
            .and_then(|decoded| against_ffmpeg(&folder.join(format!("{}.ffmpeg", case.name)), decoded));
        let verdict = verdict(case, decoded, &folder, &mut references);
        let is_lossless = case.expect == "equal";
        if let Some((lag, difference)) = compared
            && (difference > if is_lossless { MAX_DIFFERENCE } else { MAX_LOSSY_DIFFERENCE }
                || is_lossless && lag != 0)
            && !DIFFERENT.contains(&&*case.name)
        {
            failures.push(format!("{}: {lag} samples later than ffmpeg, {difference:.1e} off", case.name));
        }
        let count = groups.entry(&case.group).or_default();
        count.0 += 1;
        let (lag, difference) = compared.unzip();
        let lag = lag.filter(|&lag| lag != 0);
        if n_samples != case.n_ffmpeg || lag.is_some() {
            let lag = lag.map_or_else(String::new, |lag| lag.to_string());
            let difference = difference.map_or_else(String::new, |difference| format!("{difference:.0e}"));
            println!(
                "| {} | {} | {n_samples} | {} | {lag} | {difference} | {} |",
                case.name,
                case.group,
                case.n_ffmpeg,
                reason(case)
            );
        }
        match verdict {
            Ok(name) => {
                if let Some((container, codec)) = name.split_once(", ") {
                    read.entry(container.to_owned()).or_default().insert(codec.to_owned());
                }
            }
            Err(words) => {
                count.1 += 1;
                failures.push(format!("{} ({}): {words}", case.name, case.group));
            }
        }
    }
    let table = table(&read);
    println!("\n{table}");
    println!("\n| kind | files | wrong |\n|---|---|---|");
    for (group, (n_files, n_wrong)) in groups {
        println!("| {group} | {n_files} | {n_wrong} |");
    }
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    if !document.contains(&table) {
        failures.push("README.md: its table is not the one above".to_owned());
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
