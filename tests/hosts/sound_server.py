"""A sound server of the tests' own: D-Bus, PipeWire and WirePlumber without hardware, in a folder of their own.

Nothing of the user's session is touched, and nothing is left when it is closed. Runs as any user, root included.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

# Whoever runs the tests may ignore Ctrl-C, and so would every program that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)

PROGRAMS = {
    "dbus-daemon": "dbus-daemon",
    "pipewire": "pipewire",
    "wireplumber": "wireplumber",
    "pw-cli": "pipewire-bin",
    "pw-cat": "pipewire-bin",
    "pw-link": "pipewire-bin",
    "pw-metadata": "pipewire-bin",
}
# What stands for a microphone.
VOICE = """{ factory.name = support.null-audio-sink node.name = voice node.description = Voice
  media.class = Audio/Source/Virtual audio.position = [ MONO ] audio.rate = 48000 node.driver = true
  priority.driver = 20000 priority.session = 3000 node.always-process = true object.linger = true }"""
# The clock that drives everything, and what stands for a microphone and for loudspeakers: sinks and sources without a device.
DEVICES = """
context.objects = [
{ factory = adapter args = %s }
{ factory = adapter args = { factory.name = support.null-audio-sink node.name = ears node.description = Ears
  media.class = Audio/Sink audio.position = [ FL FR ] audio.rate = 48000 priority.session = 1000 } }
]
""" % VOICE


def absent():
    """What is missing to run one, as a sentence; None if nothing is."""
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if missing:
        return f"no {' and no '.join(missing)} (Debian, Ubuntu: apt-get install {' '.join(missing)})"
    return None


class SoundServer:
    """Used with `with`; `run`, `start` and `output` are subprocess's with the server's environment."""

    def __init__(self, quantum=2048, configuration=""):
        self.quantum = quantum
        self.configuration = configuration
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tacet-sound-"))
        self.processes = []
        self.server = []

    def __enter__(self):
        runtime = self.folder / "run"
        runtime.mkdir(mode=0o700)
        bus = self.folder / "bus"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PIPEWIRE", "PULSE", "DBUS"))
        } | {
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "HOME": str(self.folder),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}",
        }
        config = self.folder / "config/pipewire/pipewire.conf.d"
        config.mkdir(parents=True)
        (config / "devices.conf").write_text(
            "context.properties = { default.clock.rate = 48000 default.clock.quantum = %d\n"
            "  default.clock.min-quantum = %d default.clock.max-quantum = %d }\n%s"
            % (self.quantum, self.quantum, self.quantum, DEVICES)
        )
        (config / "more.conf").write_text(self.configuration)
        self.start(["dbus-daemon", "--session", "--nofork", f"--address=unix:path={bus}"])
        self.wait_for(bus.exists, "D-Bus")
        self.start_server()
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_server(self):
        """PipeWire and the session manager; returns when the devices are there."""
        self.server = [self.start(["pipewire"])]
        self.wait_for(lambda: (self.folder / "run/pipewire-0").exists(), "PipeWire")
        self.server.append(self.start(["wireplumber"]))
        self.wait_for(lambda: "voice" in self.ports("-o"), "the source's ports")
        self.wait_for(lambda: "ears" in self.ports("-i"), "the sink's ports")

    def stop_server(self):
        """Ends both, as a crash or an update does."""
        for process in reversed(self.server):
            process.kill()
            process.wait()
            self.processes.remove(process)
        (self.folder / "run/pipewire-0").unlink(missing_ok=True)

    def unplug(self, node):
        """Takes a device away, as pulling its plug does."""
        done = self.run(["pw-cli", "destroy", node])
        self.wait_for(lambda: f"{node}:" not in self.ports("-o"), f"an end of {node}")
        if done.returncode != 0:
            raise RuntimeError(f"{node} stays: {done.stdout}{done.stderr}")

    def plug(self, node):
        """Puts the microphone back, or another one of this name in."""
        words = " ".join(VOICE.split()).replace("node.name = voice", f"node.name = {node}")
        done = self.run(["pw-cli", "create-node", "adapter", words])
        if done.returncode != 0:
            raise RuntimeError(f"{node} does not come: {done.stdout}{done.stderr}")
        self.wait_for(lambda: f"{node}:" in self.ports("-o"), node)

    def make_default(self, node):
        """Chooses a source as the user does in the system's settings."""
        value = '{ "name": "%s" }' % node
        self.run(["pw-metadata", "0", "default.configured.audio.source", value, "Spa:String:JSON"])

    def start(self, command):
        with open(self.folder / "log", "a") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def run(self, command, **options):
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False, **options
        )

    def ports(self, way):
        return self.run(["pw-link", way]).stdout

    def link(self, source, sink):
        done = self.run(["pw-link", source, sink])
        if done.returncode != 0:
            raise RuntimeError(f"{source} cannot be linked to {sink}: {done.stderr}\n{self.ports('-o')}\n{self.ports('-i')}")

    def wait_for(self, is_so, what, seconds=30):
        until = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > until:
                raise RuntimeError(f"{what}: not there after {seconds} s\n{self.log()}")
            time.sleep(0.05)

    def log(self):
        return (self.folder / "log").read_text()

    def play(self, path):
        """Speaks a mono file into the microphone."""
        player = ["pw-cat", "--playback", "--target", "0", "--properties"]
        process = self.start([*player, "{ node.name = player node.autoconnect = false }", str(path)])
        self.wait_for(lambda: "player:" in self.ports("-o"), "the player")
        output = next(port for port in self.ports("-o").split() if port.startswith("player:"))
        self.link(output, "voice:input_MONO")
        return process

    def record(self, path, n_channels, seconds, links, play=None, node="recorder", also=()):
        """Records `seconds` of what `links` (output port to input channel) bring into a float WAV, while the file `play` is spoken
        into the microphone and the ports of `also` are linked."""
        recorder = self.start(
            ["pw-cat", "--record", "--target", "0", "--rate", "48000", "--channels", str(n_channels), "--format", "f32",
             "--properties", "{ node.name = %s node.autoconnect = false }" % node, str(path)]
        )
        self.wait_for(lambda: node in self.ports("-i"), "the recorder")
        inputs = sorted(line for line in self.ports("-i").split() if line.startswith(node))
        for output, channel in links:
            self.wait_for(lambda: output in self.ports("-o"), output)
            self.link(output, inputs[channel])
        for output, sink in also:
            self.link(output, sink)
        time.sleep(0.5)
        player = self.play(play) if play is not None else None
        time.sleep(seconds)
        for process in filter(None, (recorder, player)):
            process.send_signal(signal.SIGINT)
            process.wait(10)
            self.processes.remove(process)
