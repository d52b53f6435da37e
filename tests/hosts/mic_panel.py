"""`tacet mic --panel`: the virtual microphone with the plugin's panel in a window. A part of mic.py's checks; needs Xvfb."""

import shutil
import signal
import subprocess

import numpy as np
import soundfile

import mic_devices
from ladspa import DELAY, agreement, lag, skip

MICROPHONE = "tacet-mic:capture_MONO"
SOURCE = "voice:capture_MONO"


def check(server, tacet, folder, recording, fail):
    if not tacet.with_name("tacet-live").is_file():
        skip(f"there is no tacet-live beside {tacet}")
        return
    if shutil.which("Xvfb") is None:
        skip("Xvfb is not installed (Debian, Ubuntu: apt-get install xvfb)")
        return
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    try:
        server.environment |= {"DISPLAY": f":{screen.stdout.readline().strip()}", "LIBGL_ALWAYS_SOFTWARE": "1"}
        check_on_screen(server, tacet, folder, recording, fail)
    finally:
        screen.kill()
        screen.wait()


def ask(server, tacet, *words):
    return server.run([str(tacet), "mic", *words])


def status(server, tacet):
    done = ask(server, tacet, "status")
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def check_on_screen(server, tacet, folder, recording, fail):
    start = [str(tacet), "mic", "--panel", "--forget", "--set", "mix=50"]
    process = server.start(start)
    server.wait_for(lambda: MICROPHONE in server.ports("-o"), "the virtual source")
    if (found := status(server, tacet))["mix"] != "50":
        fail(f"the window does not begin with the options: {found}")
    second = ask(server, tacet, "--panel")
    if second.returncode == 0 or "is already running" not in second.stderr:
        fail(f"a second one opens: {second.stderr}")
    # Commands reach the panel's parameters, and those the sound.
    if (done := ask(server, tacet, "set", "mix", "100")).returncode != 0:
        fail(f"set mix: {done.stderr}")
    samples = soundfile.read(recording, dtype="float32")[0]
    for _ in range(3):
        recorded = folder / "panel.wav"
        server.record(recorded, 2, 5, [(SOURCE, 0), (MICROPHONE, 1)], recording)
        heard, denoised = soundfile.read(recorded, dtype="float32")[0].T
        delay = lag(heard, denoised)
        result, seconds = agreement(tacet, folder, samples, heard, denoised[delay:])
        print(f"tacet mic --panel: {delay / 48:.1f} ms, {result:.1f} dB from `tacet denoise` over {seconds:.1f} s")
        if DELAY <= delay <= DELAY + server.quantum and result >= 60 and seconds >= 0.5:
            break
    else:
        fail(f"that is not the same sound: {status(server, tacet)}\n{server.log()}")
    ask(server, tacet, "mute")
    server.record(recorded, 2, 2, [(SOURCE, 0), (MICROPHONE, 1)], recording)
    if np.max(np.abs(soundfile.read(recorded, dtype="float32")[0][24_000:, 1])) != 0:
        fail("muted, and something is heard")
    # The server goes, and comes back, under the open window.
    server.stop_server()
    server.start_server()
    mic_devices.Listener(server)
    server.wait_for(lambda: mic_devices.sources_of(server, mic_devices.TAKEN) == [SOURCE], "the source", 10)
    process.send_signal(signal.SIGINT)
    if process.wait(10) != 0:
        fail(f"by a signal it ended with {process.returncode}")
    if (server.folder / "run/tacet-mic.sock").exists():
        fail("its socket stays behind")
    # What was set is remembered by both.
    process = server.start([str(tacet), "mic"])
    server.wait_for(lambda: MICROPHONE in server.ports("-o"), "the virtual source")
    if (found := status(server, tacet))["mix"] != "100":
        fail(f"what was set in the window's time is forgotten: {found}")
    ask(server, tacet, "stop")
    process.wait(10)
    print("tacet mic --panel: commands reach the panel, the server may go, and nothing is left")
