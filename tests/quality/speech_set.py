"""Makes the speech set of the quality table: recorded speech in synthesised noise.

Speech comes from the test recordings of PocketSphinx (16 kHz; fetched with pip by version and hash, see speech.txt)
and, where the Debian package alsa-utils is installed or can be downloaded, its spoken channel names (48 kHz). Noises
are made here from fixed seeds. The same inputs give the same set on every machine, up to rounding.
"""

import hashlib
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np
import soundfile
from scipy import signal

RATE_HZ = 48_000
SEED = 20_240_607
SNRS_DB = (0, 5, 10, 15)
# Noise alone before and after the speech, in seconds: a denoiser's first second is heard, too.
LEAD_S, TAIL_S = 1.0, 0.5
# Level of active speech: 26 dB below full scale, the habit of speech tests (ITU-T P.56, P.830).
SPEECH_DBFS = -26.0
HERE = pathlib.Path(__file__).resolve().parent

# Name of the item and path in the source distribution: sentences of a reading, then commands and numbers on other
# microphones.
SPEECH = {
    "novel-1": "test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
    "novel-2": "test/data/librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
    "novel-3": "test/data/librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
    "numbers": "test/data/numbers.raw",
    "something": "test/data/something.raw",
    "digits": "test/data/forever/input_4_16k.wav",
    "cards": "test/data/cards/005.wav",
}
# Other recordings, for the babble.
BABBLE = [
    "test/data/librivox/sense_and_sensibility_01_austen_64kb-0880.wav",
    "test/data/librivox/sense_and_sensibility_01_austen_64kb-0930.wav",
    "test/data/goforward.raw",
    "test/data/forever/input_2_16k.wav",
    "test/data/cards/001.wav",
    "test/data/cards/002.wav",
    "test/data/cards/003.wav",
    "test/data/cards/004.wav",
]
# The spoken channel names of alsa-utils and the hash of all their samples.
CHANNEL_NAMES = ["Front_Left", "Rear_Right", "Side_Left", "Front_Center"]
CHANNEL_NAMES_SHA256 = "cdb6d919c93281520d0d6532c865467db6bf124558fe66658f8a5f2b0e009cb3"


def decode(name, data):
    """Mono samples at 48 kHz. Raw files are 16 bit, 16 kHz."""
    if name.endswith(".raw"):
        samples, rate_hz = np.frombuffer(data, "<i2") / 32768, 16_000
    else:
        samples, rate_hz = soundfile.read(io.BytesIO(data))
    samples = samples - samples.mean()
    return samples if rate_hz == RATE_HZ else signal.resample_poly(samples, RATE_HZ // rate_hz, 1)


def pocketsphinx(cache):
    """Every recording named above, by its path."""
    archives = list(cache.glob("pocketsphinx-*.tar.gz"))
    if not archives:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        options = ["--require-hashes", "--no-binary=pocketsphinx", "--dest", cache, "--requirement", HERE / "speech.txt"]
        subprocess.run(pip + options, check=True)
        archives = list(cache.glob("pocketsphinx-*.tar.gz"))
    with tarfile.open(archives[0]) as archive:
        root = archive.next().name.split("/")[0]
        read = lambda path: archive.extractfile(f"{root}/{path}").read()
        return {path: decode(path, read(path)) for path in [*SPEECH.values(), *BABBLE]}


def channel_names():
    """The channel names one after the other, or None if they are unavailable."""
    installed = pathlib.Path("/usr/share/sounds/alsa")
    if not (installed / "Front_Left.wav").is_file():
        try:
            directory = tempfile.TemporaryDirectory()
            run = lambda *command: subprocess.run(command, cwd=directory.name, check=True, capture_output=True)
            run("apt-get", "download", "alsa-utils")
            run("dpkg", "--extract", next(pathlib.Path(directory.name).glob("*.deb")), "extracted")
            installed = pathlib.Path(directory.name, "extracted/usr/share/sounds/alsa")
        except (OSError, subprocess.CalledProcessError, StopIteration):
            return None
    names = [(installed / f"{name}.wav").read_bytes() for name in CHANNEL_NAMES]
    if hashlib.sha256(b"".join(names)).hexdigest() != CHANNEL_NAMES_SHA256:
        return None
    pause = np.zeros(RATE_HZ // 5)
    return np.concatenate([part for name in names for part in (decode("x.wav", name), pause)])


def shaped(rng, n, power_db_per_octave, corner_hz):
    """Gaussian noise whose power falls by so much per octave above a corner."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ) / corner_hz, 1))
    return np.fft.irfft(spectrum * 10 ** (power_db_per_octave * octaves / 20), n)


def white(rng, n, _):
    return rng.standard_normal(n)


def pink(rng, n, _):
    return shaped(rng, n, -3, 20)


def fan(rng, n, _):
    """A fan: rumble, air and the harmonics of its blades, slowly wavering."""
    t = np.arange(n) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(117 + 1.5 * np.sin(2 * np.pi * 0.4 * t)) / RATE_HZ
    blades = sum(np.sin(k * phase + rng.uniform(0, 6.28)) / k for k in range(1, 13))
    return unit(shaped(rng, n, -6, 80)) + 0.5 * unit(shaped(rng, n, -3, 400)) + 0.5 * unit(blades)


def keys(rng, n, _):
    """Typing: some eight strokes a second, each a short burst of bright noise, over a little air."""
    out = 0.03 * unit(shaped(rng, n, -3, 200))
    for start in np.cumsum(rng.exponential(RATE_HZ / 8, n // RATE_HZ * 16)).astype(int):
        if start < n:
            burst = rng.standard_normal(2400) * np.exp(-np.arange(2400) / rng.uniform(100, 500)) * rng.uniform(0.3, 1)
            burst = signal.lfilter([1, -0.9], [1], burst)[: n - start]
            out[start : start + len(burst)] += burst
    return out


def babble(rng, n, voices):
    """Sixteen voices: the recordings that are not in the set, each from anywhere."""
    return sum(np.resize(np.roll(v, rng.integers(len(v))), n) / np.std(v) for v in voices + voices)


NOISES = (white, pink, fan, keys, babble)


def unit(x):
    return x / np.sqrt(np.mean(x**2))


def active_power(x):
    """Mean power of the 20 ms frames within 30 dB of the loudest."""
    power = np.mean(x[: len(x) // 960 * 960].reshape(-1, 960) ** 2, axis=1)
    return power[power > power.max() / 1000].mean()


def make(directory):
    """Writes clean/ and noisy/ into the directory; returns [(name, speech, noise, SNR, is full band)]."""
    recordings = pocketsphinx(directory)
    sources = {name: recordings[path] for name, path in SPEECH.items()}
    names = channel_names()
    if names is not None:
        sources["channels"] = names
    voices = [recordings[path] for path in BABBLE]
    for part in ("clean", "noisy"):
        (directory / part).mkdir(parents=True, exist_ok=True)

    items = []
    for i, (speech, samples) in enumerate(sources.items()):
        clean = np.concatenate([np.zeros(int(LEAD_S * RATE_HZ)), samples, np.zeros(int(TAIL_S * RATE_HZ))])
        clean *= 10 ** (SPEECH_DBFS / 20) / np.sqrt(active_power(samples))
        for j, noise in enumerate(NOISES):
            rng = np.random.default_rng([SEED, i, j])
            disturbance = unit(noise(rng, len(clean), voices)) * 10 ** (SPEECH_DBFS / 20)
            for snr_db in SNRS_DB:
                noisy = clean + disturbance * 10 ** (-snr_db / 20)
                gain = min(1, 0.98 / np.abs(noisy).max())
                name = f"{speech}_{noise.__name__}_{snr_db:02}dB"
                for part, audio in (("clean", clean), ("noisy", noisy)):
                    path = directory / part / f"{name}.wav"
                    soundfile.write(path, (gain * audio).astype(np.float32), RATE_HZ, subtype="FLOAT")
                items.append({"name": name, "speech": speech, "noise": noise.__name__, "snr_db": snr_db})
    return items
