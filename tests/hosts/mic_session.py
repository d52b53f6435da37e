"""`tacet mic` in the user's session: what it remembers, the other direction, and the unit of systemd. Parts of mic.py's checks."""

import os
import stat

import numpy as np
import soundfile

from ladspa import DELAY, RATE_HZ, agreement, lag


def check_memory(server, mic, start, fail):
    """Presets and parameters act at once, and are there the next time; the latency changes under a listener's feet."""
    node = node_of(server, "tacet-mic")
    for words in (["preset", "live-mic"], ["set", "gain-db", "-3"], ["set", "keep-clean", "off"]):
        if (done := mic.ask(*words)).returncode != 0:
            fail(f"{words}: {done.stderr}")
    server.wait_for(lambda: mic.status()["total latency"].startswith("40.0"), "the lower latency", 10)
    if node_of(server, "tacet-mic") != node:
        fail("another latency made another source: callers lose it")
    refused = mic.ask("set", "model", "dfn3-ll")
    if refused.returncode == 0 or "tacet model install ll" not in refused.stderr:
        fail(f"a model that is not installed is not refused with the command that gets it: {refused.stderr}")
    mic.ask("stop"), mic.process.wait(10)
    mic = start()
    status = mic.status()
    expected = {"attenuation-limit": "30", "gain-db": "-3", "keep-clean": "off", "latency": "lowest"}
    if {name: status[name] for name in expected} != expected:
        fail(f"that is not what was set last: {status}")
    mic.ask("stop"), mic.process.wait(10)
    mic = start("--forget", "--preset", "podcast", "--set", "mix=50")
    status = mic.status()
    if (status["attenuation-limit"], status["mix"], status["gain-db"]) != ("36", "50", "0"):
        fail(f"options and presets of the command line do not act: {status}")
    mic.ask("stop"), mic.process.wait(10)
    print("tacet mic: presets, parameters and latency act while somebody listens, and are remembered")
    return start("--forget")


def node_of(server, name):
    """The identifier of a node."""
    lines = server.run(["pw-cli", "ls", "Node"]).stdout.splitlines()
    identifier = None
    for line in lines:
        if line.strip().startswith("id "):
            identifier = line.strip().split(",")[0]
        if f'node.name = "{name}"' in line:
            return identifier
    return None


def check_speakers(server, tacet, folder, recording, fail):
    """The other direction: what is played into the sink comes out of the loudspeakers as `tacet denoise` makes it."""
    samples = soundfile.read(recording, dtype="float32")[0]
    process = server.start([str(tacet), "mic", "--speakers", "--channels", "1"])
    sink = "tacet-speakers:playback_MONO"
    server.wait_for(lambda: sink in server.ports("-i"), "the virtual sink")
    for _ in range(3):
        recorded = folder / "speakers.wav"
        server.record(recorded, 2, 5, [("voice:capture_MONO", 0), ("ears:monitor_FL", 1)], recording, also=[("voice:capture_MONO", sink)])
        heard, denoised = soundfile.read(recorded, dtype="float32")[0].T
        if not np.max(np.abs(denoised)) > 0.01:
            fail(f"the speakers are silent\n{server.log()}")
        delay = lag(heard, denoised)
        result, seconds = agreement(tacet, folder, samples, heard, denoised[delay:])
        print(f"tacet mic --speakers: {delay / RATE_HZ * 1e3:.1f} ms, {result:.1f} dB from `tacet denoise` over {seconds:.1f} s")
        if DELAY <= delay <= DELAY + 2 * server.quantum and result >= 60 and seconds >= 0.5:
            break
    else:
        fail("that is not the same sound")
    status = server.run([str(tacet), "mic", "status", "--speakers"]).stdout
    if "state: live" not in status and "state: waiting" not in status:
        fail(f"status --speakers: {status}")
    if server.run([str(tacet), "mic", "stop", "--speakers"]).returncode != 0 or process.wait(10) != 0:
        fail("--speakers does not stop")


def check_unit(server, tacet, fail):
    """`enable` writes a unit and has systemd start it; `disable` undoes both. A script stands for systemctl, and keeps what it was asked."""
    bin_dir, asked = server.folder / "bin", server.folder / "asked"
    bin_dir.mkdir()
    script = bin_dir / "systemctl"
    script.write_text(f'#!/bin/sh\necho "$@" >> "{asked}"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    server.environment["PATH"] = f"{bin_dir}:{os.environ['PATH']}"
    unit = server.folder / "config/systemd/user/tacet-mic.service"
    done = server.run([str(tacet), "mic", "enable", "--input", "voice", "--set", "mix=50"])
    if done.returncode != 0 or not unit.is_file():
        fail(f"enable: {done.stdout}{done.stderr}")
    text = unit.read_text()
    for line in (
        f'ExecStart="{tacet}" "mic" "--input" "voice" "--set" "mix=50"',
        "Restart=on-failure",
        "WantedBy=default.target",
    ):
        if line not in text.splitlines():
            fail(f"the unit has no line {line}:\n{text}")
    if asked.read_text().splitlines() != [
        "--user daemon-reload",
        "--user enable tacet-mic.service",
        "--user restart tacet-mic.service",
    ]:
        fail(f"systemd was asked for {asked.read_text()}")
    # What cannot run is not enabled.
    if server.run([str(tacet), "mic", "enable", "--set", "mix=200"]).returncode == 0 or unit.read_text() != text:
        fail("an impossible value is enabled")
    asked.unlink()
    done = server.run([str(tacet), "mic", "disable"])
    if done.returncode != 0 or unit.exists() or "--user disable --now tacet-mic.service" not in asked.read_text():
        fail(f"disable: {done.stdout}{done.stderr}{asked.read_text()}")
    if "was not enabled" not in server.run([str(tacet), "mic", "disable"]).stdout:
        fail("disabling twice is not reported")
    # Without systemd the file is written, and it is said that nothing was started.
    script.write_text("#!/bin/sh\nexit 1\n")
    done = server.run([str(tacet), "mic", "enable", "--speakers"])
    if done.returncode == 0 or "written and not started" not in done.stderr:
        fail(f"enable without systemd: {done.stdout}{done.stderr}")
    server.run([str(tacet), "mic", "disable", "--speakers"])
    if list(unit.parent.glob("*")):
        fail("a unit stays behind")
    print("tacet mic: enable writes its unit and has it started, disable undoes both")
