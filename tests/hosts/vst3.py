"""Runs the built VST3 in two JUCE hosts, pedalboard and dawdreamer, as a workstation would.

    pip install -r tests/hosts/libraries.txt
    python tests/hosts/vst3.py target/bundled/Tacet.vst3          (`cargo xtask test hosts` does both)

Checked in each host: the parameters, the latency by impulse at several rates, bit-identical bypass, two equal renders, odd blocks,
the state. The two hosts' renders of the demo recording must agree.
"""

import pathlib
import sys

import numpy as np
import soundfile

ASSETS = pathlib.Path(__file__).resolve().parents[2] / "assets"
RATES_HZ = (48_000, 44_100, 96_000, 22_050)
PARAMETERS = (
    "Attenuation limit",
    "Mix",
    "Post filter",
    "Output gain",
    "Listen",
    "Bypass",
    "Noise below local SNR",
    "Clean above local SNR",
    "Mask only above local SNR",
    "Stereo link",
    "Latency",
    "Model",
    "Device A",
    "Device B",
    "Compare",
)


def noise(n_samples, seed):
    return (np.random.default_rng(seed).standard_normal((2, n_samples)) * 0.1).astype(np.float32)


class Pedalboard:
    """Compensates the latency itself: what comes back starts with the input's start."""

    name = "pedalboard"

    def __init__(self, path):
        import pedalboard

        self.plugin = pedalboard.load_plugin(str(path), plugin_name="Tacet")

    def parameters(self):
        return [parameter.name for parameter in self.plugin.parameters.values()]

    def set(self, name, normalised):
        parameter = next(p for p in self.plugin.parameters.values() if p.name == name)
        parameter.raw_value = normalised

    def get(self, name):
        return next(p for p in self.plugin.parameters.values() if p.name == name).raw_value

    def latency(self):
        return self.plugin.reported_latency_samples

    def state(self):
        return self.plugin.raw_state

    def load(self, state):
        self.plugin.raw_state = state

    def render(self, audio, rate_hz, block=512):
        """The output, late by nothing."""
        return self.plugin.process(audio, rate_hz, buffer_size=block, reset=True)


class DawDreamer:
    """Leaves the latency in."""

    name = "dawdreamer"

    def __init__(self, path):
        import dawdreamer

        self.library = dawdreamer
        self.path = str(path)
        self.values = {}
        self.plugin = None
        self._open(48_000, 512)

    def _open(self, rate_hz, block):
        self.engine = self.library.RenderEngine(rate_hz, block)
        self.plugin = self.engine.make_plugin_processor("tacet", self.path)
        self.indices = {p["name"]: p["index"] for p in self.plugin.get_parameters_description()}
        for name, value in self.values.items():
            self.plugin.set_parameter(self.indices[name], value)

    def parameters(self):
        return list(self.indices)

    def set(self, name, normalised):
        self.values[name] = normalised
        self.plugin.set_parameter(self.indices[name], normalised)

    def get(self, name):
        return self.plugin.get_parameter(self.indices[name])

    def latency(self):
        return self.plugin.get_latency_samples()

    def render(self, audio, rate_hz, block=512):
        self._open(rate_hz, block)
        latency = None
        # The latency is known once the graph is prepared; a first, short render prepares it.
        for seconds in (0.1, audio.shape[1] / rate_hz):
            n_samples = int(round(seconds * rate_hz))
            padded = np.concatenate([audio[:, :n_samples], np.zeros((2, latency or 0), np.float32)], axis=1)
            playback = self.engine.make_playback_processor("input", padded)
            self.engine.load_graph([(playback, []), (self.plugin, ["input"])])
            self.engine.render(padded.shape[1] / rate_hz)
            latency = self.plugin.get_latency_samples()
        return self.engine.get_audio()[:, latency : latency + audio.shape[1]].astype(np.float32)


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_host(host):
    names = host.parameters()
    for name in PARAMETERS:
        check(name in names, f"there is no parameter {name!r} in {names}")

    host.set("Bypass", 0.0)
    host.set("Attenuation limit", 0.0)
    for rate_hz in RATES_HZ:
        audio = noise(rate_hz, 1) * 1e-3
        audio[:, rate_hz // 2] += 0.9
        out = host.render(audio, rate_hz)
        peaks = np.argmax(np.abs(out), axis=1)
        check(
            (peaks == rate_hz // 2).all(),
            f"{rate_hz} Hz: the impulse is {peaks - rate_hz // 2} samples from where the latency {host.latency()} says",
        )
        print(f"  {rate_hz} Hz: latency {host.latency()} samples, exact")
    host.set("Attenuation limit", 1.0)

    host.set("Bypass", 1.0)
    audio = noise(48_000, 2)
    out = host.render(audio, 48_000)
    check((out[:, : 48_000 - 512] == audio[:, : 48_000 - 512]).all(), "bypass changes the input")
    host.set("Bypass", 0.0)

    first = host.render(audio, 48_000)
    check((host.render(audio, 48_000) == first).all(), "two renders differ")
    check(np.isfinite(first).all() and np.abs(first).max() > 0, "the render is silent or not finite")
    for block in (64, 333, 4096):
        other = host.render(audio, 48_000, block)
        check((other == first).all(), f"blocks of {block} make another render")


def main(path):
    path = pathlib.Path(path).resolve()
    speech, rate_hz = soundfile.read(ASSETS / "demo_noisy.wav", dtype="float32")
    speech = np.stack([speech, speech])[:, : 4 * rate_hz]
    renders = {}
    for kind in (Pedalboard, DawDreamer):
        print(f"{kind.name}:")
        host = kind(path)
        check_host(host)
        renders[kind.name] = host.render(speech, rate_hz)
        quieter = np.sum(renders[kind.name] ** 2) / np.sum(speech**2)
        print(f"  the demo recording keeps {10 * np.log10(quieter):.1f} dB of its energy")

    host = Pedalboard(path)
    host.set("Attenuation limit", 0.24)
    # The host hands parameters over with the next block.
    host.render(speech, rate_hz)
    state = host.state()
    other = Pedalboard(path)
    other.load(state)
    check(abs(other.get("Attenuation limit") - 0.24) < 1e-3, "the state does not come back")
    check(other.state() == state, "the state is not byte for byte the same when saved again")

    difference = np.abs(renders["pedalboard"] - renders["dawdreamer"])[:, :-512].max()
    check(difference == 0.0, f"the hosts' renders differ by {difference}")
    print("both hosts' output is bit-identical")


if __name__ == "__main__":
    main(sys.argv[1])
