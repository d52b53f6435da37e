"""Computes scores.json, the values that `src/cli/src/scores` must reproduce, with NumPy alone.

    python tests/golden/scores.py > tests/golden/scores.json      (NumPy 1.26 to 2.x)

The signals are made from integers and IEEE additions and multiplications, so that the Rust tests build the same ones bit
for bit from (samples, seed, ...) and no audio is stored. The definitions are those named in src/cli/src/scores.rs.
"""

import json
import math

import numpy as np

RATE = 10_000
EPS = np.finfo(np.float64).eps


class Noise:
    """Uniform in -1..1 from a 32-bit congruential generator (Numerical Recipes' constants)."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return self.state / 2**31 - 1


def speech(n, seed):
    """Syllables of 250 ms, half noise and half buzz, each of its own level; every third second is almost silent."""
    noise, level = Noise(seed), Noise(seed + 1)
    out, low, loud = np.zeros(n), 0.0, 0.0
    for i in range(n):
        phase = i % 2500
        if phase == 0:
            loud = 0.3 + 0.2 * level.next()
        low += 0.25 * (noise.next() - low)
        buzz = (i * 130) % RATE / 5000 - 1
        ramp = 1 - abs(phase / 1250 - 1)
        quiet = 0.0001 if i // RATE % 3 == 2 else 1
        out[i] = (0.7 * low + 0.3 * buzz) * ramp * loud * quiet
    return out


def degraded(x, seed, gain, noise):
    """A gain, a one-pole low-pass and white noise."""
    source, low, out = Noise(seed), 0.0, np.zeros(len(x))
    for i, sample in enumerate(x):
        low += 0.6 * (sample - low)
        out[i] = gain * low + noise * source.next()
    return out


def hann(n):
    return np.hanning(n + 2)[1:-1]


def frames(x, size, hop):
    return np.stack([x[i : i + size] for i in range(0, len(x) - size + 1, hop)])


def without_silence(x, y, published):
    n_pad = 0 if published else 256 - len(x) % 256
    front, back = n_pad // 2, n_pad - n_pad // 2
    fx, fy = (
        frames(np.concatenate([np.zeros(front), s, np.zeros(back)])[: -1 if published else None], 256, 128) * hann(256)
        for s in (x, y)
    )
    level = 20 * np.log10(np.sqrt(np.mean(fx**2, axis=1)) + EPS)
    keep = np.flatnonzero(level > level.max() - 40)
    joined = np.zeros((3, 128 * (len(keep) - 1) + 256))
    for slot, k in enumerate(keep):
        joined[:, 128 * slot : 128 * slot + 256] += np.stack([fx[k], fy[k], hann(256)])
    if published:
        return joined[:2, :-1]  # what its exclusive range of frame starts amounts to
    first = front if keep[0] == 0 else 0
    last = back if keep[-1] == len(fx) - 1 else 0
    return (joined[:2] / joined[2])[:, first : joined.shape[1] - last]


def band_amplitudes(x):
    power = np.abs(np.fft.rfft(frames(x, 256, 128) * hann(256) / hann(256).sum(), 512)) ** 2
    grid = np.arange(257) * RATE / 512
    limit = lambda sixths: int(np.argmin(np.abs(grid - 150 * 2 ** (sixths / 6))))
    return np.sqrt(np.stack([power[:, limit(2 * k - 1) : limit(2 * k + 1)].sum(1) for k in range(15)], axis=1))


def segments(x, y, published):
    x, y = (band_amplitudes(s) for s in without_silence(x, y, published))
    n = min(30, len(x))
    return [(x[i : i + n], y[i : i + n]) for i in range(len(x) - n + 1)]


def unit(a, axis):
    a = a - a.mean(axis, keepdims=True)
    return a / (np.linalg.norm(a, axis=axis, keepdims=True) + EPS)


def stoi(x, y, published=True):
    total, parts = 0.0, segments(x, y, published)
    for a, b in parts:
        b = b * np.linalg.norm(a, axis=0) / (np.linalg.norm(b, axis=0) + EPS)
        total += (unit(a, 0) * unit(np.minimum(b, a * (1 + 10**0.75)), 0)).sum() / 15
    return total / len(parts)


def stoi_training(x, y):
    return stoi(x, y, published=False)


def estoi(x, y):
    parts = segments(x, y, published=True)
    return sum((unit(unit(a, 0), 1) * unit(unit(b, 0), 1)).sum() / len(a) for a, b in parts) / len(parts)


def si_sdr_db(x, y):
    x, y = x - x.mean(), y - y.mean()
    target = x * (x @ y) / (x @ x)
    return 10 * np.log10((target @ target) / ((target - y) @ (target - y)))


def segmental_snr_db(x, y):
    size = round(0.03 * RATE)
    signal, error = ((frames(s, size, size // 4) * hann(size)) ** 2 for s in (x, y - x))
    return np.mean(np.clip(10 * np.log10(signal.sum(1) / error.sum(1)), -10, 35))


def lsd_db(x, y):
    size = round(0.032 * RATE)
    px, py = (np.abs(np.fft.rfft(frames(s, size, size // 2) * hann(size))) ** 2 for s in (x, y))
    floor = px.max() * 1e-5
    difference = 10 * np.log10(np.maximum(px, floor) / np.maximum(py, floor))
    return np.mean(np.sqrt(np.mean(difference**2, axis=1)))


def hann_sinc(x, source, target, k):
    """Sample k of x at the target rate: the sum over all input samples, written out."""
    shared = math.gcd(source, target)
    group, cutoff = source // shared, 0.99 * min(source, target) / shared
    t = (np.arange(len(x)) / group - k * shared / target) * cutoff
    kernel = np.where(np.abs(t) < 16, np.sinc(t) * np.cos(np.pi * t / 32) ** 2, 0)
    return float(kernel @ x * cutoff / group)


def kaiser_sinc(x, source, target, k):
    """The same with Octave's filter, which runs at the rates' common multiple."""
    shared = math.gcd(source, target)
    down, up = source // shared, target // shared
    half = math.ceil((60 - 8) / (28.714 / (20 * max(up, down))))
    taps = np.sinc(np.arange(-half, half + 1) / max(up, down)) * np.kaiser(2 * half + 1, 0.1102 * (60 - 8.7))
    at = k * down - np.arange(len(x)) * up
    inside = np.abs(at) <= half
    return float((taps[at[inside] + half] * x[inside]).sum() * up / taps.sum())


CASES = [
    {"n_samples": 30_000, "seed": 1, "gain": 1.0, "noise": 0.0},
    {"n_samples": 45_123, "seed": 2, "gain": 0.5, "noise": 0.01},
    {"n_samples": 45_056, "seed": 3, "gain": 1.0, "noise": 0.05},
    {"n_samples": 60_001, "seed": 4, "gain": -2.0, "noise": 0.3},
    {"n_samples": 3_000, "seed": 5, "gain": 1.0, "noise": 0.02},
]
RATES = [(48_000, 10_000), (44_100, 10_000), (16_000, 10_000), (8_000, 10_000), (16_000, 48_000), (22_050, 16_000)]


def main():
    cases = []
    for case in CASES:
        x = speech(case["n_samples"], case["seed"])
        y = degraded(x, case["seed"] + 100, case["gain"], case["noise"])
        scores = {f.__name__: float(f(x, y)) for f in (stoi, stoi_training, estoi, si_sdr_db, segmental_snr_db, lsd_db)}
        cases.append(case | scores)
    x = speech(4_000, 6)
    positions = (0, 1, 7, 400, 777)
    rates = []
    for a, b in RATES:
        kernels = {f.__name__: {k: f(x, a, b, k) for k in positions} for f in (hann_sinc, kaiser_sinc)}
        rates.append({"from_hz": a, "to_hz": b, "n_samples": -(-4_000 * b // a)} | kernels)
    print(json.dumps({"cases": cases, "resampled": {"n_samples": 4_000, "seed": 6, "rates": rates}}, indent=1))


if __name__ == "__main__":
    main()
