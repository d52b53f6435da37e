"""Runs `tacet mic` for a long time on a sound server of its own, then unplugs its source and restarts the server again and again.

    python tests/hosts/mic_soak.py target/bundled/tacet --minutes 30 --replugs 100 --restarts 20    (`cargo xtask soak --microphone`)

Told: late hops and lost blocks, the delay at the beginning and at the end, memory, share of a core, and how long it took until
there was sound again. Late hops and lost blocks are the machine's as well: they are reported, not judged.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

import numpy as np
import soundfile

import mic_devices
import sound_server
from ladspa import ASSETS, DELAY, RATE_HZ, lag, skip
from mic import MICROPHONE, SOURCE, Mic, fail

QUANTUM = 256
MAX_GROWTH_KB = 2048


def resident_kb(process):
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def core_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def delay(server, folder, recording):
    """Samples that the microphone is behind its source; of several tries, for a busy machine loses blocks."""
    for _ in range(5):
        recorded = folder / "delay.wav"
        server.record(recorded, 2, 4, [(SOURCE, 0), (MICROPHONE, 1)], recording)
        heard, out = soundfile.read(recorded, dtype="float32")[0].T
        if DELAY <= (found := lag(heard, out)) <= DELAY + server.quantum:
            return found
    return found


def counts(status):
    late, hops = status["late hops"].split(" of ")
    return int(late), int(hops), int(status["lost blocks"])


def long_run(server, mic, folder, recording, minutes):
    first = delay(server, folder, recording)
    mic_devices.until_sound(server, mic)
    talk = folder / "talk.wav"
    samples = soundfile.read(recording, dtype="float32")[0]
    # As long as the run: what plays must not begin anew in the middle.
    n = int(minutes * 60 * RATE_HZ)
    soundfile.write(talk, np.tile(samples, n // len(samples) + 1)[:n], RATE_HZ, subtype="PCM_16")
    player = server.play(talk)
    time.sleep(5)
    late, hops, lost = counts(mic.status())
    memory, core, start = resident_kb(mic.process), core_seconds(mic.process), time.monotonic()
    while time.monotonic() - start < minutes * 60 - 10:
        time.sleep(5)
        if mic.process.poll() is not None:
            fail(f"it ended\n{server.log()}")
    took = time.monotonic() - start
    late, hops, lost = (now - before for now, before in zip(counts(mic.status()), (late, hops, lost)))
    growth = resident_kb(mic.process) - memory
    share = (core_seconds(mic.process) - core) / took
    print(
        f"tacet mic, {took / 60:.1f} min at a quantum of {QUANTUM}: {late} late of {hops} hops, {lost} lost blocks, "
        f"{share:.1%} of a core, memory {memory / 1024:.1f} MiB {growth / 1024:+.2f}"
    )
    player.kill()
    player.wait()
    server.wait_for(lambda: "player:" not in server.ports("-o"), "an end of the player")
    last = delay(server, folder, recording)
    print(f"tacet mic: delay {first} samples at the beginning, {last} at the end")
    if growth > MAX_GROWTH_KB:
        fail(f"the process has grown by {growth} kB")
    if last > first:
        fail(f"the delay has grown from {first} to {last} samples")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tacet", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--replugs", type=int, default=100)
    parser.add_argument("--restarts", type=int, default=20)
    options = parser.parse_args()
    absent = sound_server.absent()
    if absent:
        skip(absent)
        return
    with tempfile.TemporaryDirectory() as folder, sound_server.SoundServer(QUANTUM) as server:
        folder = pathlib.Path(folder)
        samples, _ = soundfile.read(ASSETS / "demo_noisy.wav", dtype="float32", always_2d=True)
        recording = folder / "recording.wav"
        soundfile.write(recording, samples[:, 0], RATE_HZ, subtype="PCM_16")
        mic = Mic(server, options.tacet.resolve())
        mic_devices.Listener(server)
        if options.minutes > 0:
            long_run(server, mic, folder, recording, options.minutes)
        memory = resident_kb(mic.process)
        mic_devices.check(server, mic, options.replugs, options.restarts, fail)
        print(f"tacet mic: memory {memory / 1024:.1f} MiB before, {resident_kb(mic.process) / 1024:.1f} after")
        if mic.ask("stop").returncode != 0 or mic.process.wait(10) != 0:
            fail("it does not stop")


if __name__ == "__main__":
    sys.exit(main())
