"""Lets Ardour scan the built VST3, put it on a track, and export the session.

    python tests/hosts/ardour.py target/hosts/Tacet.vst3          (`cargo xtask test hosts` does it)

Everything happens in a directory of its own, which is also Ardour's home: no user's settings or sessions are touched. Where
Ardour is not installed it says so and passes, unless TACET_REQUIRE_DAWS is set.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import soundfile
from vst3 import ASSETS, Pedalboard, check

HERE = pathlib.Path(__file__).resolve().parent
RATE_HZ = 48_000
SECONDS = 6
SESSION = "take"
# Ardour counts audio time in these.
SUPERCLOCKS_PER_SAMPLE = 282_240_000 // RATE_HZ
# Ardour fades in where its transport starts, and stops with the recording, which cuts the end by the latency.
START_SAMPLES, END_SAMPLES = 4800, 4800
# Rounding of the transforms, and of a panner and faders whose gains are nearly 1. Seen: 3e-7.
TOLERANCE = 2e-6
# Correlation of two renders with the hops in different places. Seen: 0.993 to 0.995; with the noise left in, 0.69.
LIKENESS = 0.98
# How often an export is tried.
ATTEMPTS = 8

FORMAT_ID = "5a0f2a0e-0b8e-4c1e-9d49-7ac3d2b1f000"
PRESET_ID = "5a0f2a0e-0b8e-4c1e-9d49-7ac3d2b1f001"
FORMAT = f"""<?xml version="1.0" encoding="UTF-8"?>
<ExportFormatSpecification name="Test" id="{FORMAT_ID}" with-cue="false" with-toc="false" command="" analyse="false">
  <Encoding id="F_WAV" type="T_Sndfile" extension="wav" name="WAV" has-sample-format="true" channel-limit="256"/>
  <SampleRate rate="1"/>
  <SRCQuality quality="SRC_SincBest"/>
  <EncodingOptions>
    <Option name="sample-format" value="SF_Float"/>
    <Option name="dithering" value="D_None"/>
    <Option name="tag-metadata" value="false"/>
    <Option name="tag-support" value="false"/>
    <Option name="broadcast-info" value="false"/>
  </EncodingOptions>
  <Processing>
    <Normalize enabled="false" loudness="no" dbfs="0" lufs="-23" dbtp="-1"/>
    <Silence>
      <Start><Trim enabled="false"/><Add enabled="false"/></Start>
      <End><Trim enabled="false"/><Add enabled="false"/></End>
    </Silence>
  </Processing>
</ExportFormatSpecification>
"""
PRESET = f"""<?xml version="1.0" encoding="UTF-8"?>
<ExportPreset id="{PRESET_ID}" name="Test">
  <ExportFormat id="{FORMAT_ID}"/>
  <ExportFilename>
    <Folder relative="1" path="export"/>
    <Field name="timespan" enabled="1"/>
  </ExportFilename>
</ExportPreset>
"""


class Ardour:
    """An installed Ardour, run in a home of its own."""

    def __init__(self, work):
        # /usr/lib/ardour7, or with the architecture between.
        libraries = pathlib.Path("/usr/lib")
        found = [*libraries.glob("ardour*/luasession"), *libraries.glob("*/ardour*/luasession")]
        if not found:
            raise FileNotFoundError
        self.programs = found[0].parent
        # Its folders elsewhere have the same name.
        self.release = self.programs.name
        self.home = work / "home"
        self.config = self.home / ".config" / self.release
        (self.config / "export").mkdir(parents=True)
        (self.config / "export" / "test.format").write_text(FORMAT)
        (self.config / "export" / "test.preset").write_text(PRESET)

    def run(self, program, *arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        environment |= {
            "HOME": str(self.home),
            "LD_LIBRARY_PATH": str(self.programs),
            "ARDOUR_DATA_PATH": f"/usr/share/{self.release}",
            "ARDOUR_CONFIG_PATH": f"/etc/{self.release}",
            "ARDOUR_DLL_PATH": str(self.programs),
        }
        command = [str(self.programs / program), *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    def lua(self, *arguments):
        done = self.run("luasession", HERE / "ardour_session.lua", *arguments)
        if "done" not in done.stdout.splitlines():
            raise RuntimeError(f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def export(self, session, limit_db, to, n_samples):
        """Exports; Ardour 7.3 corrupts its own memory then about every fourth time, with plugins or without, and is aborted."""
        for attempt in range(ATTEMPTS):
            shutil.rmtree(to, ignore_errors=True)
            try:
                self.lua("export", session, SESSION, limit_db, to, n_samples)
                break
            except RuntimeError:
                if attempt == ATTEMPTS - 1:
                    raise
        (path,) = to.iterdir()
        audio, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        check((rate_hz, len(audio)) == (RATE_HZ, n_samples), f"the export has {len(audio)} samples at {rate_hz} Hz")
        return audio.T

    def install(self, bundle):
        """Puts the plugin where Ardour looks, and scans it."""
        installed = self.home / ".vst3" / bundle.name
        shutil.copytree(bundle, installed)
        # A scan counts only where it is newer than the plugin, in whole seconds.
        before = time.time() - 3600
        for path in [installed, *installed.rglob("*")]:
            os.utime(path, (before, before))
        done = self.run("ardour-vst3-scanner", "-f", installed)
        found = "Found Plugin: Tacet" in done.stdout + done.stderr
        check(found and done.returncode == 0, f"the scanner does not find the plugin:\n{done.stdout}{done.stderr}")


def put_on_track(session, recording, n_samples):
    """Writes the recording into the session's track; Ardour has no command for that without its window."""
    path = session / f"{SESSION}.ardour"
    shutil.copy(recording, session / "interchange" / session.name / "audiofiles" / "voice.wav")
    document = ElementTree.parse(path)
    root = document.getroot()
    region = {"name": "voice", "type": "audio", "id": "900003", "channels": "2", "muted": "0", "opaque": "1"}
    region |= {"start": "a0", "length": f"a{n_samples * SUPERCLOCKS_PER_SAMPLE}@a0", "scale-amplitude": "1"}
    region |= {"fade-in-active": "0", "fade-out-active": "0", "envelope-active": "0", "layering-index": "0"}
    for channel in range(2):
        identity = str(900_001 + channel)
        source = {"name": "voice.wav", "origin": "voice.wav", "type": "audio", "flags": "", "gain": "1"}
        ElementTree.SubElement(root.find("Sources"), "Source", source | {"id": identity, "channel": str(channel)})
        region |= {f"source-{channel}": identity, f"master-source-{channel}": identity}
    playlist = next(entry for entry in root.find("Playlists") if entry.get("name").startswith("voice"))
    ElementTree.SubElement(playlist, "Region", region)
    document.write(path, encoding="UTF-8", xml_declaration=True)


def main(bundle):
    bundle = pathlib.Path(bundle).resolve()
    with tempfile.TemporaryDirectory(prefix="tacet-ardour-") as work:
        work = pathlib.Path(work)
        try:
            ardour = Ardour(work)
        except FileNotFoundError:
            absent = "Ardour is not installed (Debian, Ubuntu: apt-get install ardour)"
            check(not os.environ.get("TACET_REQUIRE_DAWS"), absent)
            print(f"skipped: {absent}")
            return
        speech, rate_hz = soundfile.read(ASSETS / "demo_noisy.wav", dtype="float32", frames=SECONDS * RATE_HZ)
        check(rate_hz == RATE_HZ, "the recording has another rate")
        stereo = np.stack([speech, np.roll(speech, RATE_HZ)])
        soundfile.write(work / "voice.wav", stereo.T, RATE_HZ, subtype="FLOAT")

        ardour.install(bundle)
        print(f"{ardour.release}: scanned")
        session = work / SESSION
        said = ardour.lua("make", session, SESSION)
        check("latency 2400" in said.splitlines(), f"another latency is reported:\n{said}")
        put_on_track(session, work / "voice.wav", stereo.shape[1])
        # The whole pipeline passes the input at 0 dB: where the latency is compensated, nothing changes.
        heard = slice(START_SAMPLES, -END_SAMPLES)
        passed = ardour.export(session, 0.0, work / "passed", stereo.shape[1])
        error = np.abs(passed - stereo)[:, heard].max()
        check(error < TOLERANCE, f"the export at 0 dB differs from the recording by {error}")
        # Ardour does not reset a plugin before it exports: hops lie elsewhere than in a render that begins with the recording,
        # and the network has heard silence before.
        denoised = ardour.export(session, 100.0, work / "denoised", stereo.shape[1])
        expected = Pedalboard(bundle).render(stereo, RATE_HZ)
        likeness = np.corrcoef(denoised[:, heard].ravel(), expected[:, heard].ravel())[0, 1]
        check(likeness > LIKENESS, f"the export is not pedalboard's render: correlation {likeness}")
        print(f"  exported {SECONDS} s: at 0 dB the recording, to {error:.0e}; denoised like pedalboard's, {likeness:.4f}")


if __name__ == "__main__":
    main(sys.argv[1])
