"""Runs `tacet mic` on a sound server of the tests' own, and measures what a call would hear.

    pip install -r tests/hosts/libraries.txt
    python tests/hosts/mic.py target/bundled/tacet          (`cargo xtask test hosts` does it)

Checked: what comes out is `tacet denoise` of what went in, and how long it takes; it never feeds on itself; mute, bypass, set and
presets act and are remembered; it survives devices and servers that go away and come back, and says what is wrong; so does the
other direction; enable writes a unit; nothing is left when it ends, killed or not. Where PipeWire is not installed the script
says so and passes, unless TACET_REQUIRE_DAWS is set.
"""

import pathlib
import signal
import sys
import tempfile
import time

import numpy as np
import soundfile

import mic_devices
import mic_panel
import mic_session
import sound_server
from ladspa import ASSETS, DELAY, RATE_HZ, agreement, lag, skip

SOURCE = "voice:capture_MONO"
MICROPHONE = "tacet-mic:capture_MONO"


def fail(text):
    sys.exit(f"tacet mic: {text}")


class Mic:
    """A running `tacet mic`."""

    def __init__(self, server, tacet, *options):
        self.server, self.tacet = server, tacet
        self.process = server.start([str(tacet), "mic", *options])
        server.wait_for(lambda: "tacet-mic" in server.ports("-o"), "the virtual source")

    def ask(self, *words):
        return self.server.run([str(self.tacet), "mic", *words])

    def status(self):
        done = self.ask("status")
        if done.returncode != 0:
            fail(f"status: {done.stderr}")
        return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def check_sound(server, tacet, folder, recording):
    samples = soundfile.read(recording, dtype="float32")[0]
    # A busy machine loses blocks on their way to the recorder: then there is less to compare.
    for _ in range(3):
        mic = Mic(server, tacet)
        recorded = folder / "heard.wav"
        server.record(recorded, 2, 5, [(SOURCE, 0), (MICROPHONE, 1)], recording)
        status = mic.status()
        heard, denoised = soundfile.read(recorded, dtype="float32")[0].T
        if not np.max(np.abs(denoised)) > 0.01:
            fail(f"silence comes out: {status}\n{server.log()}")
        delay = lag(heard, denoised)
        result, seconds = agreement(tacet, folder, samples, heard, denoised[delay:])
        print(
            f"tacet mic: {delay / RATE_HZ * 1e3:.1f} ms behind its source, {result:.1f} dB from `tacet denoise` over "
            f"{seconds:.1f} s; late hops: {status['late hops']}, lost blocks: {status['lost blocks']}"
        )
        if DELAY <= delay <= DELAY + server.quantum and result >= 60 and seconds >= 0.5:
            return mic
        mic.ask("stop")
        mic.process.wait(10)
    fail(f"that is not the same sound: {status}")


def loudness(server, folder, recording):
    recorded = folder / "level.wav"
    server.record(recorded, 2, 3, [(SOURCE, 0), (MICROPHONE, 1)], recording)
    heard, out = soundfile.read(recorded, dtype="float32")[0].T
    return heard, out


def is_unchanged(heard, out):
    delay = lag(heard, out)
    n = len(heard) - delay - RATE_HZ // 2
    return np.array_equal(out[delay + RATE_HZ // 2 :][:n], heard[RATE_HZ // 2 :][:n])


def check_commands(server, folder, mic, recording):
    for words in (["mute"], ["set", "attenuation-limit", "12"]):
        if (done := mic.ask(*words)).returncode != 0:
            fail(f"{words}: {done.stderr}")
    if mic.status()["muted"] != "yes" or mic.status()["attenuation-limit"] != "12":
        fail(f"the status does not say so: {mic.status()}")
    _, out = loudness(server, folder, recording)
    if np.max(np.abs(out[RATE_HZ // 2 :])) != 0:
        fail("muted, and something is heard")
    mic.ask("unmute"), mic.ask("bypass", "on")
    # A block that is lost on a busy machine is heard; it is not lost each time.
    if not any(is_unchanged(*loudness(server, folder, recording)) for _ in range(3)):
        fail("bypassed, and the input does not come out as it is")
    if mic.ask("set", "volume", "1").returncode == 0 or "gain-db" not in mic.ask("set", "volume", "1").stderr:
        fail("a parameter that does not exist is not refused")
    second = mic.ask()
    if second.returncode == 0 or "is already running" not in second.stderr:
        fail(f"a second one starts: {second.stderr}")
    print("tacet mic: mute, bypass and set act, a second one is refused")


def check_itself(server, tacet):
    """Made the default source, it does not take itself."""
    server.make_default("tacet-mic")
    server.start(["pw-cat", "--record", "--target", "tacet-mic", str(server.folder / "null.wav")])
    time.sleep(1.5)
    feeding = mic_devices.sources_of(server, mic_devices.TAKEN)
    if feeding != [SOURCE]:
        fail(f"as the default source it takes {feeding}, not {SOURCE}")
    print("tacet mic: as the default source it takes the microphone, not itself")


def check_end(server, tacet, mic):
    if (done := mic.ask("stop")).returncode != 0:
        fail(f"stop: {done.stderr}")
    if mic.process.wait(10) != 0:
        fail(f"it ended with {mic.process.returncode}")
    if "is not running" not in mic.ask("status").stderr:
        fail("it ended, and somebody answers")
    mic = Mic(server, tacet)
    mic.process.kill()
    mic.process.wait()
    server.wait_for(lambda: "tacet-mic" not in server.ports("-o"), "an end of the source", 5)
    mic = Mic(server, tacet)
    mic.process.send_signal(signal.SIGTERM)
    if mic.process.wait(10) != 0:
        fail(f"by a signal it ended with {mic.process.returncode}")
    print("tacet mic: stopped, killed and ended by a signal it leaves nothing, and starts again")


def main(tacet):
    tacet = pathlib.Path(tacet).resolve()
    absent = sound_server.absent()
    if absent:
        skip(absent)
        return
    with tempfile.TemporaryDirectory() as folder, sound_server.SoundServer() as server:
        folder = pathlib.Path(folder)
        samples, _ = soundfile.read(ASSETS / "demo_noisy.wav", dtype="float32", always_2d=True)
        recording = folder / "recording.wav"
        soundfile.write(recording, samples[:, 0], RATE_HZ, subtype="PCM_16")
        mic = check_sound(server, tacet, folder, recording)
        check_commands(server, folder, mic, recording)
        mic = mic_session.check_memory(server, mic, lambda *options: Mic(server, tacet, *options), fail)
        check_itself(server, tacet)
        mic_devices.check_default(server, fail)
        mic_devices.check(server, mic, 5, 2, fail)
        mic_devices.check_silence(server, mic, fail)
        check_end(server, tacet, mic)
        mic_session.check_speakers(server, tacet, folder, recording, fail)
        mic_session.check_unit(server, tacet, fail)
        mic_panel.check(server, tacet, folder, recording, fail)


if __name__ == "__main__":
    main(*sys.argv[1:])
