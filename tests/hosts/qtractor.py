"""Lets qtractor, a workstation that knows CLAP, scan the built plugin, play and export a session with it, show its window, and
restore its state.

    python tests/hosts/qtractor.py target/hosts/Tacet.clap target/debug/tacet          (`cargo xtask test hosts` does it)

It runs on an X server without a screen and on a JACK server without hardware, in a home of its own. Where qtractor, Xvfb,
xdotool or jackd are not installed it says so and passes, unless TACET_REQUIRE_DAWS is set.
"""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np
import jack_server
import soundfile
from jack_server import JackServer
from vst3 import ASSETS, check

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = {"qtractor": "qtractor", "Xvfb": "xvfb", "xdotool": "xdotool", "jackd": "jackd2", "cc": "gcc"}
RATE_HZ = 48_000
SECONDS = 6
# The transport starts with a fade, and stops with the recording.
START_SAMPLES, END_SAMPLES = 9600, 9600
# Rounding of the transforms. Seen: 3e-7.
TOLERANCE = 2e-6
# Correlation of two renders with the hops in different places.
LIKENESS = 0.98
# How long a step may take on a busy machine.
PATIENCE_S = 90
# Between two attempts of what the keyboard or the mouse is to do.
ASK_AGAIN_S = 20
# Where the track's list of plugins begins, in the main window, and the export's list of outputs in its own.
PLUGIN_AT = (173, 180)
OUTPUT_AT = (230, 150)

SETTINGS = r"""[Options]
Display\StdoutCapture=false
Audio\ExportExt=wav
Audio\ExportType=0
Audio\ExportFormat=3
[Shortcuts]
qtractorMainForm\trackExportAudioAction=Ctrl+F9
"""
SESSION = """<!DOCTYPE qtractor-session>
<session name="take" version="0.9.31">
 <properties>
  <directory>{folder}</directory><description></description><sample-rate>48000</sample-rate><tempo>120</tempo>
  <ticks-per-beat>960</ticks-per-beat><beats-per-bar>4</beats-per-bar><beat-divisor>2</beat-divisor>
 </properties>
 <state/>
 <files><audio-list><file name="voice.wav">voice.wav</file></audio-list><midi-list/></files>
 <devices>
  <audio-engine>
   <audio-control><transport-mode>duplex</transport-mode></audio-control>
   <audio-bus name="Master" mode="duplex">
    <monitor>0</monitor><channels>2</channels><auto-connect>1</auto-connect>
    <input-gain>1</input-gain><input-panning>0</input-panning><output-gain>1</output-gain><output-panning>0</output-panning>
   </audio-bus>
  </audio-engine>
  <midi-engine/>
 </devices>
 <tracks>
  <track name="voice" type="audio">
   <properties>
    <input-bus>Master</input-bus><output-bus>Master</output-bus><plugin-list-latency>1</plugin-list-latency>
   </properties>
   <state><mute>0</mute><solo>0</solo><record>0</record><monitor>0</monitor><gain>1</gain><panning>0</panning></state>
   <clips>
    <clip name="voice">
     <properties>
      <name>voice</name><start>0</start><offset>0</offset><length>{n_samples}</length><gain>1</gain>
      <fade-in type="Linear">0</fade-in><fade-out type="Linear">0</fade-out>
     </properties>
     <audio-clip><filename>voice.wav</filename><time-stretch>1</time-stretch></audio-clip>
    </clip>
   </clips>
   <plugins>
    <plugin type="CLAP">
     <filename>{plugin}</filename><index>0</index><label>Tacet</label><activated>1</activated>
    </plugin>
   </plugins>
  </track>
 </tracks>
</session>
"""


def scan(plugin):
    """qtractor's scanner: type, name, audio ports, MIDI ports, parameters, flags, file, as qtractor's own cache keeps it."""
    scanner = next(pathlib.Path("/usr/lib").rglob("qtractor_plugin_scan"))
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [str(scanner)], input=f"CLAP:{plugin}\n", env=environment, capture_output=True, text=True, timeout=60
    )
    found = [line.split("|") for line in done.stdout.split("\n") if line]
    # It counts the channels of main ports.
    expected = [["CLAP", name, "2:2", "0:0", "32:0"] for name in ("Tacet", "Tacet (voice + removed)")]
    is_right = done.returncode == 0 and [fields[:5] for fields in found] == expected
    check(is_right, f"qtractor's scan ended with {done.returncode} and found {found}, not {expected}:\n{done.stderr}")
    check(all(fields[6] == str(plugin) and "GUI" in fields[5] for fields in found), f"{found}")
    for fields in found:
        print(f"qtractor: scanned {fields[1]}; channels {fields[2]}, parameters {fields[4]}")


class Desktop:
    """An X server without a screen and a JACK server without hardware. Used with `with`."""

    def __init__(self, work):
        self.work = work
        self.processes = []
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DBUS_", "JACK_"))
        } | {
            "HOME": str(work),
            "XDG_RUNTIME_DIR": str(work),
            "LC_ALL": "C.UTF-8",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "QT_QPA_PLATFORM": "xcb",
        } | jack_server.variables()

    def __enter__(self):
        read, write = os.pipe()
        screen = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
        with contextlib.ExitStack() as running:
            running.callback(jack_server.end, self.start(screen, pass_fds=[write]))
            os.close(write)
            self.environment["DISPLAY"] = ":" + os.read(read, 16).decode().strip()
            log = running.enter_context(open(self.work / "log", "a"))
            running.enter_context(JackServer(self.environment, RATE_HZ, buffer=1024, log=log))
            running.callback(self.end_clients)
            self.wait_for(lambda: "system:playback_1" in self.run("jack_lsp"), "the JACK server")
            self.running = running.pop_all()
        return self

    def __exit__(self, *_):
        self.running.close()

    def end_clients(self):
        _screen, *clients = self.processes
        for client in reversed(clients):
            jack_server.end(client)

    def start(self, command, more=None, **options):
        with open(self.work / "log", "a") as log:
            process = subprocess.Popen(
                command, env=self.environment | (more or {}), stdout=log, stderr=log, **options
            )
        self.processes.append(process)
        return process

    def run(self, *command):
        return subprocess.run(
            list(map(str, command)), env=self.environment, capture_output=True, text=True, timeout=30
        ).stdout

    def wait_for(self, get, what):
        until = time.monotonic() + PATIENCE_S
        while not (got := get()):
            check(time.monotonic() < until, f"{what}: not there after {PATIENCE_S} s\n{(self.work / 'log').read_text()}")
            time.sleep(0.2)
        return got

    def ask_for(self, ask, get, what):
        """Asks until it is there: a key that comes while another window has the keyboard is lost."""
        asked = [-ASK_AGAIN_S]

        def look():
            if got := get():
                return got
            if time.monotonic() - asked[0] > ASK_AGAIN_S:
                asked[0] = time.monotonic()
                ask()
            return None

        return self.wait_for(look, what)

    def window(self, name):
        found = self.run("xdotool", "search", "--onlyvisible", "--name", name).split()
        return found[0] if found else None


class Qtractor:
    """A running qtractor with a session. Used with `with`."""

    def __init__(self, desktop, session, preload):
        self.desktop = desktop
        self.session = session
        self.process = desktop.start(["qtractor", str(session)], {"LD_PRELOAD": str(preload)})

    def __enter__(self):
        self.main = self.desktop.wait_for(lambda: self.desktop.window(self.session.name), "qtractor's session")
        self.desktop.wait_for(lambda: "Qtractor:Master/out_1" in self.desktop.run("jack_lsp"), "qtractor's ports")
        return self

    def __exit__(self, *_):
        jack_server.end(self.process)

    def is_alive(self):
        return self.process.poll() is None

    def save(self):
        """Saves the session; qtractor does so on this signal (LADISH)."""
        before = self.session.stat().st_mtime_ns
        self.process.send_signal(signal.SIGUSR1)
        self.desktop.wait_for(lambda: self.session.stat().st_mtime_ns != before, "the saved session")
        time.sleep(1)

    def export(self):
        """Exports the session through its menu's command, as a float WAV."""
        folder = self.session.parent
        before = set(folder.glob("*export*.wav"))
        form = self.desktop.ask_for(
            lambda: self.desktop.run("xdotool", "windowfocus", "--sync", self.main, "key", "ctrl+F9"),
            lambda: self.desktop.window("Export Audio"),
            "the export's window",
        )

        def begin():
            x, y = OUTPUT_AT
            self.desktop.run("xdotool", "windowfocus", "--sync", form, "mousemove", "--window", form, x, y, "click", 1)
            time.sleep(0.5)
            self.desktop.run("xdotool", "key", "Return")

        (path,) = self.desktop.ask_for(begin, lambda: set(folder.glob("*export*.wav")) - before, "the export")
        size = None
        while size != (size := path.stat().st_size) or size < 1000 or self.desktop.window("Export Audio"):
            check(self.is_alive(), "qtractor ended while it exported")
            time.sleep(2)
        audio, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        check(rate_hz == RATE_HZ, f"the export has {rate_hz} Hz")
        return audio.T

    def play(self, seconds):
        """Plays in real time, and gives what is heard; the transport is JACK's."""
        path = self.session.parent / "heard.wav"
        ports = [f"Qtractor:Master/out_{channel}" for channel in (1, 2)]
        recorder = self.desktop.start(["jack_rec", "-f", str(path), "-d", str(seconds), "-b", "32", *ports])
        self.transport("locate 0", "play")
        recorder.wait(PATIENCE_S)
        self.transport("stop", "locate 0")
        return soundfile.read(path, dtype="float32", always_2d=True)[0].T

    def transport(self, *commands):
        subprocess.run(
            ["jack_transport"], input="\n".join([*commands, "quit", ""]), env=self.desktop.environment,
            capture_output=True, text=True, timeout=30,
        )

    def open_editor(self):
        """Opens the plugin's window, and looks whether the plugin draws into it."""
        x, y = PLUGIN_AT

        def click_twice():
            self.desktop.run("xdotool", "windowfocus", "--sync", self.main)
            self.desktop.run("xdotool", "mousemove", "--window", self.main, x, y, "click", "--repeat", 2, "--delay", 80, 1)

        window = self.desktop.ask_for(click_twice, lambda: self.desktop.window("^Tacet"), "the plugin's window")
        return self.desktop.run("xdotool", "getwindowgeometry", window)


def change_state(path, limit_db):
    """Gives the attenuation limit another value in the state that the plugin has saved: base64 of zlib's, after a length."""
    document = ElementTree.parse(path)
    config = document.getroot().find(".//plugin/configs/config[@key='state']")
    check(config is not None, "the session holds no state")
    state = zlib.decompress(base64.b64decode("".join(config.text.split()))[4:])
    values = json.loads(state[8:])
    check(values["params"]["limit"] == {"f32": 100.0}, f"another state was saved: {values}")
    values["params"]["limit"] = {"f32": limit_db}
    text = json.dumps(values).encode()
    state = struct.pack("<Q", len(text)) + text
    config.text = base64.b64encode(struct.pack(">I", len(state)) + zlib.compress(state)).decode()
    # What qtractor has noted of the values itself.
    plugin = document.getroot().find(".//plugin")
    for params in plugin.findall("params"):
        plugin.remove(params)
    path.write_text("<!DOCTYPE qtractor-session>\n" + ElementTree.tostring(document.getroot(), encoding="unicode"))


def main(plugin, tacet):
    plugin, tacet = pathlib.Path(plugin).resolve(), pathlib.Path(tacet).resolve()
    missing = sorted(package for program, package in PROGRAMS.items() if shutil.which(program) is None)
    if missing:
        absent = f"no {' and no '.join(missing)} (Debian, Ubuntu: apt-get install {' '.join(missing)})"
        check(not os.environ.get("TACET_REQUIRE_DAWS"), absent)
        print(f"skipped: {absent}")
        return
    scan(plugin)
    with tempfile.TemporaryDirectory(prefix="tacet-qtractor-") as work:
        work = pathlib.Path(work)
        settings = work / ".config/rncbc.org/Qtractor.conf"
        settings.parent.mkdir(parents=True)
        settings.write_text(SETTINGS)
        preload = work / "no_sequencer.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", preload, HERE / "no_sequencer.c"], check=True)
        speech, rate_hz = soundfile.read(ASSETS / "demo_noisy.wav", dtype="float32", frames=SECONDS * RATE_HZ)
        check(rate_hz == RATE_HZ, "the recording has another rate")
        stereo = np.stack([speech, np.roll(speech, RATE_HZ)])
        soundfile.write(work / "voice.wav", stereo.T, RATE_HZ, subtype="FLOAT")
        subprocess.run([tacet, "denoise", work / "voice.wav", "-o", work / "denoised.wav", "--quiet"], check=True)
        expected = soundfile.read(work / "denoised.wav", dtype="float32", always_2d=True)[0].T
        heard = slice(START_SAMPLES, -END_SAMPLES)
        session = work / "take.qtr"
        with Desktop(work) as desktop:
            session.write_text(SESSION.format(folder=work, plugin=plugin, n_samples=stereo.shape[1]))
            with Qtractor(desktop, session, preload) as qtractor:
                denoised = qtractor.export()
                qtractor.save()
            likeness = np.corrcoef(denoised[:, heard].ravel(), expected[:, heard].ravel())[0, 1]
            check(likeness > LIKENESS, f"the export is not what `tacet denoise` writes: correlation {likeness}")
            print(f"  exported {SECONDS} s, denoised like `tacet denoise`: {likeness:.4f}")
            change_state(session, 0.0)
            with Qtractor(desktop, session, preload) as qtractor:
                geometry = qtractor.open_editor()
                check("860x560" in geometry, f"the plugin's window has another size:\n{geometry}")
                level = np.sqrt(np.mean(qtractor.play(5) ** 2)) / np.sqrt(np.mean(stereo**2))
                check(0.3 < level < 1.5, f"what is played at 0 dB has {level} times the recording's level")
                passed = qtractor.export()
                check(qtractor.is_alive(), "qtractor ended")
            error = np.abs(passed - stereo)[:, heard].max()
            check(error < TOLERANCE, f"the export at 0 dB differs from the recording by {error}")
            print(f"  state restored, window embedded, played; exported at 0 dB: the recording, to {error:.0e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
