"""Runs the LADSPA plugins in hosts that people use: the SDK's two programs, ffmpeg, sox, and PipeWire's filter chain.

    pip install -r tests/hosts/libraries.txt
    python tests/hosts/ladspa.py target/bundled/libdeep_filter_ladspa.so target/bundled/tacet    (`cargo xtask test hosts` does it)

The output must match that of `tacet denoise` for the same recording, bit-identical if the host keeps samples as they are.
Where a host is not installed the script says so and goes on, unless TACET_REQUIRE_DAWS is set.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import soundfile

import sound_server

ASSETS = pathlib.Path(__file__).resolve().parents[2] / "assets"
RATE_HZ = 48_000
HOP = 480
DELAY = 5 * HOP
# As in configurations for DeepFilterNet's own plugin: attenuation limit, three thresholds, buffer, post filter.
CONTROLS = (100, -15, 35, 35, 0, 0.02)


def configuration(library):
    """The filter chain of docs/microphone.md, on this library."""
    page = (ASSETS.parent / "docs/microphone.md").read_text()
    block = page.split("    context.modules = [", 1)[1].split("\n    ]\n", 1)[0]
    path = "$HOME/.ladspa/libdeep_filter_ladspa.so"
    assert path in block, "the page has another path"
    return f"context.modules = [{block}\n]\n".replace(path, str(library))


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def is_there(program, package):
    if shutil.which(program):
        return True
    return skip(f"{program} is not installed (Debian, Ubuntu: apt-get install {package})")


def skip(absent):
    if os.environ.get("TACET_REQUIRE_DAWS"):
        sys.exit(absent)
    print(f"skipped: {absent}")
    return False


def snr_db(expected, got):
    """Of what is got, in dB, over the shorter length."""
    n = min(len(expected), len(got))
    error = np.sum((expected[:n] - got[:n]).astype(np.float64) ** 2)
    power = np.sum(expected[:n].astype(np.float64) ** 2)
    return 10 * np.log10(max(power, 1e-30) / max(error, 1e-30))


def lag(reference, got):
    """Samples that `got` is behind `reference`: the largest peak of their cross-correlation."""
    n = 1 << (len(reference) + len(got)).bit_length()
    product = np.fft.irfft(np.fft.rfft(got, n) * np.conj(np.fft.rfft(reference, n)), n)
    peak = int(np.argmax(product))
    return peak if peak < n // 2 else peak - n


def agreement(tacet, folder, recording, heard, denoised, options=()):
    """How well what came out is `tacet denoise` of what went in, in dB, and how many seconds of it were compared.

    `heard` is what was recorded of the source, silent at first and then the recording; `denoised` what was recorded beside it, the
    delay taken away. Its first sample that is not zero begins a hop; how many hops lie between it and the beginning of what
    the network heard is tried out. Where the server lost a block on its way to the recorder, the comparison ends.
    """
    begin = int(np.flatnonzero(heard)[0])
    n = min(len(heard) - begin, len(recording), len(denoised) - begin)
    # The server fades the player in.
    lost = np.flatnonzero(heard[begin + DELAY : begin + n] != recording[DELAY:n])
    end = begin + DELAY + (int(lost[0]) if len(lost) else n - DELAY)
    first = int(np.flatnonzero(denoised)[0])
    inputs, outputs = (pathlib.Path(tempfile.mkdtemp(dir=folder)) for _ in range(2))
    starts = [start for n_hops in range(-4, 5) if 0 <= (start := first + n_hops * HOP) < end]
    for start in starts:
        soundfile.write(inputs / f"{start}.wav", heard[start:end], RATE_HZ, subtype="FLOAT")
    run([tacet, "denoise", *(inputs / f"{start}.wav" for start in starts), "--out-dir", outputs, "--quiet", *options])
    # From where both have forgotten how it began, to where the end makes itself felt.
    compared = slice(begin + RATE_HZ // 2, end - 2 * DELAY)
    results = [-np.inf]
    for start in starts:
        padded = np.zeros(len(denoised), np.float32)
        padded[start:end] = soundfile.read(outputs / f"{start}.wav", dtype="float32")[0]
        results.append(snr_db(padded[compared], denoised[compared]))
    return max(results), max(compared.stop - compared.start, 0) / RATE_HZ


class Case:
    """A recording with what the command line makes of it."""

    def __init__(self, folder, tacet, n_channels):
        samples, rate = soundfile.read(ASSETS / "demo_noisy.wav", dtype="float32", always_2d=True)
        assert rate == RATE_HZ, rate
        mono = samples[: 6 * RATE_HZ, 0]
        # Another voice on the right, so that swapped channels are heard.
        channels = [mono, np.roll(mono, RATE_HZ) * np.float32(0.5)][:n_channels]
        self.tacet, self.n_channels = tacet, n_channels
        self.label = ("deep_filter_mono", "deep_filter_stereo")[n_channels - 1]
        self.own_label = ("tacet_mono", "tacet_stereo")[n_channels - 1]
        self.input = folder / f"input{n_channels}.wav"
        soundfile.write(self.input, np.stack(channels, 1), RATE_HZ, subtype="PCM_16")
        output = folder / f"expected{n_channels}.wav"
        options = ["--post-filter", str(CONTROLS[-1]), "--float", "--quiet"]
        run([tacet, "denoise", self.input, "-o", output, *options])
        self.expected = soundfile.read(output, dtype="float32", always_2d=True)[0]

    def check(self, host, output, at_least_db, delay=DELAY):
        got = soundfile.read(output, dtype="float32", always_2d=True)[0]
        if got.shape[1] != self.n_channels:
            sys.exit(f"{host}: {got.shape[1]} channels instead of {self.n_channels}")
        got = got[delay:]
        n = min(len(got), len(self.expected))
        if n < len(self.expected) - DELAY:
            sys.exit(f"{host}: {len(got)} samples came back")
        is_equal = np.array_equal(got[:n], self.expected[:n])
        result = snr_db(self.expected, got)
        if not is_equal and result < at_least_db:
            sys.exit(f"{host}, {self.label}: {result:.1f} dB from what `tacet denoise` writes, not {at_least_db}")
        print(f"{host}, {self.label}: {'bit-identical' if is_equal else f'{result:.1f} dB'}")


def check_sdk(library, case, folder):
    if not (is_there("analyseplugin", "ladspa-sdk") and is_there("applyplugin", "ladspa-sdk")):
        return
    if case.n_channels == 1:
        description = run(["analyseplugin", library])
        for line in ('"deep_filter_mono"', "7843795", '"deep_filter_stereo"', "7843796", '"Min Processing Buffer (frames)"'):
            if line not in description:
                sys.exit(f"analyseplugin does not find {line}:\n{description}")
        print(f"analyseplugin: {description.count('Plugin Label')} plugins")
    output = folder / "sdk.wav"
    run(["applyplugin", case.input, output, library, case.label, *map(str, CONTROLS)])
    # 16 bits are written, without dither.
    case.check("applyplugin", output, 40)


def check_ffmpeg(library, case, folder):
    if not is_there("ffmpeg", "ffmpeg"):
        return
    controls = "|".join(f"c{index}={value}" for index, value in enumerate(CONTROLS))
    for label, latency, delay in ((case.label, 0, DELAY), (case.own_label, 1, 0)):
        output = folder / "ffmpeg.wav"
        chain = f"ladspa=file={library}:plugin={label}:controls={controls}:latency={latency}"
        run(["ffmpeg", "-v", "error", "-y", "-i", case.input, "-af", chain, "-c:a", "pcm_f32le", output])
        case.check(f"ffmpeg{', which compensates' * latency}", output, np.inf, delay)


def check_sox(library, case, folder):
    # sox knows LADSPA only where it was built with it.
    if not is_there("sox", "sox"):
        return
    output = folder / "sox.wav"
    effect = ["ladspa", library, case.label, *map(str, CONTROLS)]
    # Its samples have 32 bits.
    run(["sox", case.input, "-e", "floating-point", "-b", "32", output, *effect])
    case.check("sox", output, 120)


def check_filter_chain(library, case, folder):
    absent = sound_server.absent()
    if absent:
        skip(absent)
        return
    recorded = folder / "chain.wav"
    recording = soundfile.read(case.input, dtype="float32")[0]
    # A busy machine loses blocks on their way to the recorder: then there is less to compare.
    for attempt in range(3):
        with sound_server.SoundServer(configuration=configuration(library)) as server:
            links = [("voice:capture_MONO", 0), ("tacet_chain:capture_MONO", 1)]
            server.record(recorded, 2, 5, links, case.input)
            log = server.log()
        heard, denoised = soundfile.read(recorded, dtype="float32")[0].T
        if not np.max(np.abs(denoised)) > 0.01:
            sys.exit(f"PipeWire's filter chain: silence comes out\n{log}")
        delay = lag(heard, denoised)
        options = ["--post-filter", str(CONTROLS[-1])]
        result, seconds = agreement(case.tacet, folder, recording, heard, denoised[delay:], options)
        result_text = f"PipeWire's filter chain: {delay / RATE_HZ * 1e3:.1f} ms, {result:.1f} dB from `tacet denoise` over {seconds:.1f} s"
        print(result_text)
        if DELAY <= delay <= DELAY + server.quantum and result >= 60 and seconds >= 0.5:
            return
    sys.exit(f"that is not right\n{log}")


def main(library, tacet):
    library = pathlib.Path(library).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for n_channels in (1, 2):
            case = Case(folder, pathlib.Path(tacet).resolve(), n_channels)
            check_sdk(library, case, folder)
            check_ffmpeg(library, case, folder)
            check_sox(library, case, folder)
            if n_channels == 1:
                check_filter_chain(library, case, folder)


if __name__ == "__main__":
    main(*sys.argv[1:3])
