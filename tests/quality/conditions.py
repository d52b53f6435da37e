"""Measures what the rules around the network are for: quiet speech, telephones, little noise, and what they must not change.

    python tests/quality/conditions.py --tacet target/release/tacet --live target/release/denoise-live --out target/conditions

in the environment of quality.py (libraries.txt and tools.txt). Each condition is made from items of speech_set.py, denoised
by `tacet denoise` with `--reference` and with the defaults, and scored against the clean speech, scaled and limited like
the input: STOI and SI-SDR by `tacet score`, PESQ by the package pesq. Prints a table.

Two further tables also hear live audio, through the program `denoise-live` of tacet-core: speech after a pause against the same speech
without it, and quiet speech against the same at a usual level.
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
PAUSE_SECONDS = 12
# Where telephones begin and end.
TELEPHONE_HZ = (300, 3400)


def scaled(db):
    return lambda audio: audio * 10 ** (db / 20)


def resampled(rate_hz):
    """As a recording at that rate, brought back to 48 kHz."""
    step = RATE_HZ // rate_hz
    return lambda audio: signal.resample_poly(signal.resample_poly(audio, 1, step), step, 1)[: len(audio)]


def telephone(audio):
    filters = signal.butter(6, TELEPHONE_HZ, "bandpass", fs=RATE_HZ, output="sos")
    return signal.sosfilt(filters, resampled(8_000)(audio))


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
    table["telephone, clean"] = [(telephone(clean), telephone(clean)) for clean, _ in items]
    table["telephone"] = [(telephone(clean), telephone(noisy)) for clean, noisy in items]
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


def scores_of(tacet, clean, result):
    """The scores of a file by `tacet score`."""
    command = [tacet, "score", "--json", "--delay", "0", clean, result]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["files"][0]["mean"]


def mean_scores(tacet, results):
    """Means of STOI, SI-SDR and PESQ over denoised files."""
    scores = []
    for result in results:
        clean = result.parent.parent / "clean" / result.name
        mean = scores_of(tacet, clean, result)
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


def pauses(n_samples, seed):
    """{name: (noise of the pause, whether it goes on under the speech)}."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(n_samples)
    room = speech_set.unit(signal.lfilter([1], [1, -0.97], rng.standard_normal(n_samples)))
    dither = np.round(rng.uniform(-1, 1, n_samples) + rng.uniform(-0.5, 0.5, n_samples)) / 32768
    return {
        "zeros": (np.zeros(n_samples), False),
        "dither": (dither, False),
        "hiss, -65 dBFS": (scaled(-65)(white), False),
        "hiss, -45 dBFS": (scaled(-45)(white), False),
        "hiss, -45 dBFS, also under the speech": (scaled(-45)(white), True),
        "room tone, -50 dBFS": (scaled(-50)(room), False),
        "room tone, -50 dBFS, also under the speech": (scaled(-50)(room), True),
    }


def with_pause(first, second, noise, is_under):
    """Speech, a pause filled with noise, speech; and the same without the pause but for a twentieth of a second."""
    short = RATE_HZ // 20
    end = len(noise) - len(second)
    speech = np.zeros(len(noise))
    speech[: len(first)] += first
    speech[end:] += second
    if is_under:
        without = np.concatenate([noise[: len(first) + short], noise[end:]])
    else:
        noise = noise.copy()
        noise[: len(first)] = noise[end:] = 0
        without = np.zeros(len(first) + short + len(second))
    without[: len(first)] += first
    without[-len(second) :] += second
    return speech + noise, without


def live(program, audio, is_reference=False):
    """Audio denoised as live audio."""
    command = [program, "reference"] if is_reference else [program]
    result = subprocess.run(command, input=audio.astype("<f4").tobytes(), check=True, capture_output=True)
    return np.frombuffer(result.stdout, "<f4").astype(float)


def files(tacet, out, audio, is_reference=False):
    """Audio denoised as a file."""
    path = write(out, [(np.zeros(1), audio)])[0]
    return read(denoise(tacet, [path], "pauses", ["--reference"] if is_reference else [])[0]).astype(float)


def print_pauses(args, items):
    """Ratio in dB of the first two seconds after a pause to their difference from the same without the pause."""
    voices = [clean[: 6 * RATE_HZ] for clean, _ in items]
    pairs = [(first, second[: 4 * RATE_HZ]) for first, second in zip(voices, voices[1:])]
    methods = {
        "official": lambda audio: files(args.tacet, args.out, audio, True),
        "files": lambda audio: files(args.tacet, args.out, audio),
        "live": lambda audio: live(args.live, audio),
    }
    print("\n| pause | " + " | ".join(methods) + " |\n|---|" + "---:|" * len(methods))
    for name in pauses(1, 0):
        ratios = {method: [] for method in methods}
        for i, (first, second) in enumerate(pairs):
            n_samples = len(first) + PAUSE_SECONDS * RATE_HZ + len(second)
            noise, is_under = pauses(n_samples, i)[name]
            inputs = with_pause(first, second, noise, is_under)
            for method, denoised in methods.items():
                after, expected = (denoised(audio)[-len(second) :][: 2 * RATE_HZ] for audio in inputs)
                error = np.sum((after - expected) ** 2) + 1e-20
                ratios[method].append(10 * np.log10(np.sum(expected**2) / error))
        print(f"| {name} | " + " | ".join(f"{np.mean(ratios[method]):.1f}" for method in methods) + " |", flush=True)


def print_live_levels(args, items):
    """STOI of scaled live speech from one second after the first word on, less that of the unscaled result."""
    print("\n| live, scaled by | STOI: mean | worst item |\n|---|---:|---:|")
    for db in (-26, -35, -45, -60):
        losses = []
        for clean, noisy in items:
            loudness = np.convolve(clean**2, np.ones(480), "same")
            start = np.argmax(loudness > 1e-3 * loudness.max()) + RATE_HZ
            usual, quiet = live(args.live, noisy, True), live(args.live, scaled(db)(noisy))
            scores = []
            for result in (usual, quiet):
                path = write(args.out, [(clean[start:], result[start:])])[0]
                scores.append(float(scores_of(args.tacet, args.out / "clean" / path.name, path)["stoi"]))
            losses.append(scores[1] - scores[0])
        print(f"| {db:+} dB | {np.mean(losses):+.3f} | {min(losses):+.3f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tacet", required=True, help="the command-line program")
    parser.add_argument("--live", required=True, help="the program `denoise-live` of tacet-core")
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
    print_pauses(args, items)
    print_live_levels(args, items)


if __name__ == "__main__":
    main()
