"""Makes demo_noisy.wav and demo_clean.flac: recorded speech, alone and in a noisy room.

    apt-get download pocketsphinx-testdata && dpkg-deb --extract pocketsphinx-testdata_*.deb data
    pip install numpy==2.4.6 scipy==1.17.1 soundfile==0.14.0
    python3 assets/make_demo.py data/usr/share/pocketsphinx/test/data/librivox

The speech is two sentences of a LibriVox reading (README.md beside this file has source and licence). The noise is
made here: a fan, air, mains hum and a keyboard. Same inputs, same bytes.
"""

import hashlib
import pathlib
import sys

import numpy as np
import soundfile
from scipy import signal

RATE_HZ = 48_000
SPEECH_RATE_HZ = 16_000
SEED = 20_250_317
# Speech power (over the two sentences) to noise power (over the whole excerpt).
SNR_DB = 4.0
# Noise alone first: a denoiser's first second is heard, too.
LEAD_IN_S, PAUSE_S, TAIL_S = 1.0, 0.3, 0.6
PEAK = 0.7
# Passes 7.2 kHz, stops at 8 kHz by 90 dB.
LOW_PASS = signal.firwin(601, 7_600, window=("kaiser", 9.0), fs=RATE_HZ)

SENTENCES = [
    (
        "sense_and_sensibility_01_austen_64kb-0880.wav",
        "fbec491ef00ee734a67f0ee318e98c51c157b479e1629ff4f4426861ecac0414",
    ),
    (
        "sense_and_sensibility_01_austen_64kb-0890.wav",
        "5793ffbdee55fb8bfd284943a6866864c832d9d4accf2661cabd39915c84ee10",
    ),
]


def speech(directory):
    """The sentences with pauses at 48 kHz, and a mask of where they are."""
    silence = lambda seconds: np.zeros(round(seconds * RATE_HZ))
    parts, active = [silence(LEAD_IN_S)], [silence(LEAD_IN_S)]
    for index, (name, sha256) in enumerate(SENTENCES):
        path = directory / name
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            sys.exit(f"{path} is not the file that the demo was made from")
        samples, rate_hz = soundfile.read(path)
        assert rate_hz == SPEECH_RATE_HZ and samples.ndim == 1
        sentence = signal.resample_poly(samples, RATE_HZ // SPEECH_RATE_HZ, 1, window=LOW_PASS)
        sentence *= signal.windows.tukey(sentence.size, 0.02 * RATE_HZ / sentence.size)
        after = silence(PAUSE_S if index + 1 < len(SENTENCES) else TAIL_S)
        parts += [sentence, after]
        active += [np.ones(sentence.size), after]
    return np.concatenate(parts), np.concatenate(active) > 0


def shaped(rng, n_samples, points):
    """Gaussian noise with a spectrum given as (Hz, dB) points, interpolated over the logarithm of frequency."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    hz = np.maximum(np.fft.rfftfreq(n_samples, 1 / RATE_HZ), 1.0)
    points_hz, points_db = zip(*points)
    return np.fft.irfft(spectrum * 10 ** (np.interp(np.log(hz), np.log(points_hz), points_db) / 20), n_samples)


def fan(rng, time_s):
    """Air through a fan: broadband, louder as it speeds up, with its blades' tone wandering a little."""
    air = shaped(rng, time_s.size, [(20, -30), (60, -6), (200, 0), (900, -11), (4000, -25), (12000, -36), (24000, -48)])
    speed = 1 + 0.03 * np.sin(2 * np.pi * 0.23 * time_s) + 0.01 * np.sin(2 * np.pi * 1.7 * time_s + 1)
    phase = 2 * np.pi * np.cumsum(168 * speed) / RATE_HZ
    blades = sum(gain * np.sin(k * phase + k) for k, gain in [(1, 1.0), (2, 0.55), (3, 0.3), (5, 0.12)])
    return air / air.std() * speed**3 * (1 + 0.12 * np.sin(phase)) + 0.35 * blades


def hum(time_s):
    """Mains at 50 Hz with the odd harmonics of a poor power supply."""
    harmonics = [(1, 1.0), (2, 0.2), (3, 0.6), (5, 0.35), (7, 0.2), (9, 0.1), (11, 0.06)]
    return sum(gain * np.sin(2 * np.pi * 50.02 * k * time_s + 0.7 * k) for k, gain in harmonics)


def keyboard(rng, n_samples):
    """Key strokes: a press and a softer release, each a burst through a few resonances of a desk."""
    out = np.zeros(n_samples)
    stroke_s = 0.25
    while stroke_s < n_samples / RATE_HZ - 0.3:
        for delay_s, gain in [(0.0, 1.0), (rng.uniform(0.07, 0.11), 0.45)]:
            burst = rng.standard_normal(2400) * np.exp(-np.arange(2400) / rng.uniform(60, 160))
            body = sum(
                signal.lfilter(*signal.iirpeak(hz * rng.uniform(0.95, 1.05), 6, fs=RATE_HZ), burst)
                for hz in (420, 1900, 4300, 7800)
            )
            at = round((stroke_s + delay_s) * RATE_HZ)
            out[at : at + 2400] += gain * rng.uniform(0.6, 1.0) * (body + 0.25 * burst)
        # Bursts of typing with pauses to think.
        stroke_s += rng.uniform(0.1, 0.24) if rng.random() < 0.85 else rng.uniform(0.6, 1.3)
    return out


def main():
    here = pathlib.Path(__file__).parent
    clean, active = speech(pathlib.Path(sys.argv[1]))
    rng = np.random.default_rng(SEED)
    time_s = np.arange(clean.size) / RATE_HZ
    noise = fan(rng, time_s) + 0.3 * hum(time_s) + 4.0 * keyboard(rng, clean.size)
    noise *= np.sqrt(np.mean(clean[active] ** 2) / np.mean(noise**2) / 10 ** (SNR_DB / 10))
    gain = PEAK / np.abs(clean + noise).max()
    for name, samples in [("demo_noisy.wav", clean + noise), ("demo_clean.flac", clean)]:
        soundfile.write(here / name, np.round(gain * samples * 32768).astype(np.int16), RATE_HZ, subtype="PCM_16")


if __name__ == "__main__":
    main()
