"""Measures what the rules around the network are for: quiet speech, telephones, little noise, and what they must not change.

    python tests/quality/conditions.py --tacet target/release/tacet --out target/conditions

in the environment of quality.py (libraries.txt and tools.txt). Each condition is made from items of speech_set.py, denoised
by `tacet denoise` with `--reference` and with the defaults, and scored against the clean speech, scaled and limited like
the input: STOI and SI-SDR by `tacet score`, PESQ by the package pesq. Prints a table.
"""

import argparse
import json
import pathlib
import subprocess

import numpy as np
import pesq
import soundfile
from scipy import signal

import speech_set

ITEMS = ["novel-1_white_00dB", "novel-3_babble_05dB", "numbers_fan_10dB", "digits_pink_05dB", "channels_pink_10dB", "novel-2_white_15dB"]
RATE_HZ = speech_set.RATE_HZ


def scaled(db):
    return lambda audio: audio * 10 ** (db / 20)


def resampled(rate_hz):
    """As a recording at that rate, brought back to 48 kHz."""
    step = RATE_HZ // rate_hz
    return lambda audio: signal.resample_poly(signal.resample_poly(audio, 1, step), step, 1)[: len(audio)]


def with_noise(audio, snr_db, seed):
    noise = signal.lfilter([1], [1, -0.8], np.random.default_rng(seed).standard_normal(len(audio)))
    return audio + speech_set.unit(noise) * np.sqrt(speech_set.active_power(audio)) * 10 ** (-snr_db / 20)


def conditions(items):
    """{name: [(clean, noisy)]}."""
    table = {"usual level": items}
    for db in (-20, -26, -45, -60, 20):
        table[f"{db:+} dB"] = [(scaled(db)(clean), scaled(db)(noisy)) for clean, noisy in items]
        table[f"clean, {db:+} dB"] = [(scaled(db)(clean), scaled(db)(clean)) for clean, _ in items]
    for rate_hz in (8_000, 16_000):
        limit = resampled(rate_hz)
        table[f"{rate_hz} Hz, clean"] = [(limit(clean), limit(clean)) for clean, _ in items]
        table[f"{rate_hz} Hz"] = [(limit(clean), limit(noisy)) for clean, noisy in items]
    for snr_db in (20, 25, 30, 40):
        table[f"{snr_db} dB SNR"] = [(clean, with_noise(clean, snr_db, i)) for i, (clean, _) in enumerate(items)]
    return table


def read(path):
    return soundfile.read(path, dtype="float32")[0]


def speech(out):
    """Pairs of clean and noisy speech, made in this folder."""
    names = {item["name"] for item in speech_set.make(out)}
    paths = [[out / kind / f"{name}.wav" for kind in ("clean", "noisy")] for name in ITEMS if name in names]
    return [tuple(read(path).astype(float) for path in pair) for pair in paths]


def write(folder, pairs):
    """Writes pairs to clean/ and noisy/; returns the noisy files."""
    for kind in ("clean", "noisy"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for i, pair in enumerate(pairs):
        for kind, audio in zip(("clean", "noisy"), pair):
            soundfile.write(folder / kind / f"{i}.wav", audio.astype(np.float32), RATE_HZ, subtype="FLOAT")
    return [folder / "noisy" / f"{i}.wav" for i in range(len(pairs))]


def denoise(tacet, files, name, options):
    """Denoises written files with these options; returns the results, which lie in a folder of this name beside them."""
    folder = files[0].parent.parent / name
    results = [folder / file.name for file in files]
    for result in results:
        result.unlink(missing_ok=True)
    subprocess.run([tacet, "denoise", "--quiet", *options, "--out-dir", folder, *files], check=True)
    return results


def mean_scores(tacet, results):
    """Means of STOI, SI-SDR and PESQ over denoised files."""
    scores = []
    for result in results:
        clean = result.parent.parent / "clean" / result.name
        command = [tacet, "score", "--json", "--delay", "0", clean, result]
        mean = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["files"][0]["mean"]
        ours, theirs = (signal.resample_poly(read(path).astype(float), 1, 3) for path in (result, clean))
        loud = 0.3 / np.abs(theirs).max()
        scores.append((float(mean["stoi"]), float(mean["si_sdr_db"]), pesq.pesq(16_000, theirs * loud, ours * loud, "wb")))
    return np.mean(scores, axis=0)


def measure(args, pairs):
    """Means of STOI, SI-SDR and PESQ for the reference and for the defaults, and whether both are equal."""
    files = write(args.out, pairs)
    means, outputs = {}, {}
    for name, options in (("reference", ["--reference"]), ("default", [])):
        results = denoise(args.tacet, files, name, options)
        means[name] = mean_scores(args.tacet, results)
        outputs[name] = [result.read_bytes() for result in results]
    return means, outputs["reference"] == outputs["default"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tacet", required=True, help="the command-line program")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="where audio goes")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    items = speech(args.out)
    print("| condition | STOI: reference | rules | SI-SDR dB: reference | rules | PESQ: reference | rules | |")
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    for name, pairs in conditions(items).items():
        means, is_equal = measure(args, pairs)
        cells = []
        for score, digits in enumerate((3, 1, 2)):
            cells += [f"{means[kind][score]:.{digits}f}" for kind in ("reference", "default")]
        print(f"| {name} | " + " | ".join(cells) + f" | {'bit-identical' if is_equal else ''} |", flush=True)


if __name__ == "__main__":
    main()
