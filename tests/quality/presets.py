"""Scores the factory's presets on five kinds of recordings, beside the default and a plain limit of 12 dB.

    python tests/quality/presets.py --tacet target/release/tacet --out target/presets

in the environment of quality.py. Speech is that of speech_set.py; what becomes of it is made here: speech in noise, a quiet
second speaker, music under a voice, whispering, and a clipped telephone recording. Each is denoised with every preset and
scored against what should be left: STOI by `tacet score`, PESQ by the package pesq. Prints a table, and exits with an error
if a preset is worse than both the default and the plain limit in a kind, beyond TOLERANCE.
"""

import argparse
import pathlib
import sys

import numpy as np
from scipy import linalg, signal

import conditions
import speech_set

RATE_HZ = speech_set.RATE_HZ
PRESETS = [
    "podcast", "voice-over-gentle", "field-recording", "interview-two-levels", "live-mic", "music-under-voice", "whisper",
    "archive",
]
BESIDE = {"default": [], "limit 12 dB": ["--attenuation-limit", "12"]}
# STOI, PESQ.
TOLERANCE = (0.002, 0.02)


def music(n_samples, seed):
    """Chords of decaying harmonics, one every 0.6 s."""
    rng = np.random.default_rng(seed)
    out = np.zeros(n_samples + RATE_HZ)
    t = np.arange(RATE_HZ) / RATE_HZ
    for start in range(0, n_samples, int(0.6 * RATE_HZ)):
        root = 110 * 2 ** (rng.integers(0, 12) / 12)
        for step in (1, 1.26, 1.5, 2):
            for k in range(1, 9):
                phase = rng.uniform(0, 2 * np.pi)
                out[start : start + RATE_HZ] += np.exp(-3 * t) / k * np.sin(2 * np.pi * root * step * k * t + phase)
    return speech_set.unit(out[:n_samples])


def whispered(speech, seed):
    """The same words without a voice: noise through the linear prediction of each moment."""
    at_16k = signal.resample_poly(speech, 1, 3)
    size, hop, order = 512, 128, 18
    rng = np.random.default_rng(seed)
    window = np.hanning(size)
    out = np.zeros(len(at_16k) + size)
    for start in range(0, len(at_16k) - size, hop):
        frame = at_16k[start : start + size] * window
        r = np.correlate(frame, frame, "full")[size - 1 : size + order]
        if r[0] < 1e-9:
            continue
        r[0] *= 1.0001
        a = linalg.solve_toeplitz(r[:order], r[1:])
        gain = np.sqrt(max(r[0] - a @ r[1:], 0) / size)
        excitation = rng.standard_normal(size)
        out[start : start + size] += signal.lfilter([gain], np.r_[1, -a], excitation) * window
    out = signal.resample_poly(out[: len(at_16k)], 3, 1)[: len(speech)]
    out = signal.sosfilt(signal.butter(2, 500, "highpass", fs=RATE_HZ, output="sos"), out)
    return out * np.sqrt(speech_set.active_power(speech) / speech_set.active_power(out)) * 10 ** (-6 / 20)


def kinds(items):
    """{name: [(what should be left, input)]}."""
    table = {"speech in noise": items}
    quiet = conditions.scaled(-15)
    pairs = zip(items, items[1:] + items[:1])
    table["two levels"] = [
        (np.concatenate([first[0], quiet(second[0])]), np.concatenate([first[1], quiet(second[0]) + first[1][: len(second[0])] * 0.02]))
        for first, second in pairs
        if len(first[1]) >= len(second[0])
    ]
    mixed = []
    for i, (clean, _) in enumerate(items):
        wanted = clean + music(len(clean), i) * np.sqrt(speech_set.active_power(clean)) * 10 ** (-12 / 20)
        mixed.append((wanted, conditions.with_noise(wanted, 20, i)))
    table["music under voice"] = mixed
    whispers = [whispered(clean, i) for i, (clean, _) in enumerate(items)]
    table["whisper"] = [(whisper, conditions.with_noise(whisper, 20, i)) for i, whisper in enumerate(whispers)]
    narrow = conditions.resampled(8_000)
    archive = []
    for i, (clean, _) in enumerate(items):
        loud = np.quantile(np.abs(clean), 0.97)
        archive.append((narrow(clean), narrow(np.clip(conditions.with_noise(clean, 20, i), -loud, loud))))
    table["clipped telephone"] = archive
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tacet", required=True, help="the command-line program")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="where audio goes")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    table = kinds(conditions.speech(args.out))
    files = [conditions.write(args.out / name.replace(" ", "-"), pairs) for name, pairs in table.items()]
    results = {}
    for name, options in [*BESIDE.items(), *((preset, ["--preset", preset]) for preset in PRESETS)]:
        denoised = [conditions.denoise(args.tacet, kind, name.replace(" ", "-"), options) for kind in files]
        # STOI and PESQ.
        results[name] = [conditions.mean_scores(args.tacet, kind)[[0, 2]] for kind in denoised]
    print("| | " + " | ".join(table) + " |")
    print("|---|" + "---:|" * len(table))
    for name, row in results.items():
        print(f"| {name} | " + " | ".join(f"{stoi:.3f}, {mos:.2f}" for stoi, mos in row) + " |")
    worse = [
        f"{name}: {kind}"
        for name in PRESETS
        for i, kind in enumerate(table)
        if any(results[name][i] < np.minimum(results["default"][i], results["limit 12 dB"][i]) - TOLERANCE)
    ]
    if worse:
        sys.exit("worse than both the default and the limit: " + "; ".join(worse))


if __name__ == "__main__":
    main()
