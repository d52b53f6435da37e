"""Runs `tacet-live` on JACK and PipeWire servers without hardware, and looks at it as other clients of the server do.

    python tests/hosts/live.py target/debug/tacet-live          (`cargo xtask test hosts` does it)

Checked: stereo and mono inputs get as many ports and are connected; a second one gets another name; the latency that the server
knows is the delay that a tone takes; it waits for a server that ends and comes back; its ports are gone when it ends. On PipeWire it
uses PipeWire's own library, and a microphone that was unplugged is connected again. Where jackd, its tools or PipeWire are not
installed the script says so and passes, unless TACET_REQUIRE_DAWS is set.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import jack_server
import sound_server
from jack_server import JackServer
from ladspa import DELAY, RATE_HZ, is_there, skip
from mic_soak import core_seconds

PROGRAMS = {"jackd": "jackd2", "jack_lsp": "jackd2", "jack_connect": "jackd2", "jack_iodelay": "jackd2"}
BUFFER = 256
PATIENCE_S = 30


def fail(text):
    sys.exit(f"tacet-live: {text}")


class Server:
    """The server's clients and their connections."""

    def __init__(self, folder):
        others = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DBUS_", "JACK_"))}
        self.environment = others | {"HOME": str(folder)} | jack_server.variables()

    def ask(self, *words):
        return subprocess.run(words, capture_output=True, text=True, env=self.environment, check=False).stdout

    def wait_for(self, what, title):
        until = time.monotonic() + PATIENCE_S
        while not (found := what()):
            if time.monotonic() > until:
                fail(f"{title} in vain; the server has\n{self.ask('jack_lsp', '-c')}")
            time.sleep(0.1)
        return found

    def ports(self, client):
        return [port for port in self.ask("jack_lsp").splitlines() if port.startswith(f"{client}:")]

    def connections(self):
        """Pairs of ports, each both ways round."""
        pairs, port = set(), None
        for line in self.ask("jack_lsp", "-c").splitlines():
            if not line.startswith(" "):
                port = line
            else:
                pairs.add((port, line.strip()))
        return pairs

    def capture_latency(self, port):
        """Samples that what leaves by the port came in before."""
        told = self.ask("jack_lsp", "-l", port)
        found = re.search(r"port capture latency = \[ (\d+) (\d+) \]", told)
        return int(found[1]) if found else fail(f"no latency in {told}")

    def start(self, tacet, *options):
        return subprocess.Popen(
            [str(tacet), "--headless", "--backend", "jack", *options],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )

    def round_trip(self, source, sink):
        """Samples of a tone from `source`'s input to `sink`'s output, the server's own for a loop among them."""
        meter = subprocess.Popen(["stdbuf", "-oL", "jack_iodelay"], env=self.environment, stdout=subprocess.PIPE, text=True)
        try:
            self.wait_for(lambda: len(self.ports("jack_delay")) == 2, "waited for the meter of the delay")
            self.ask("jack_connect", "jack_delay:out", source)
            self.ask("jack_connect", sink, "jack_delay:in")
            time.sleep(3)
        finally:
            meter.send_signal(signal.SIGINT)
            try:
                printed = meter.communicate(timeout=10)[0]
            except subprocess.TimeoutExpired:
                # It can wait for the server when it is asked to end; what it has measured is printed.
                meter.kill()
                printed = meter.communicate()[0]
        found = re.findall(r"^\s*(\d+\.\d+) frames", printed, re.MULTILINE)
        return round(float(found[-1])) if found else fail(f"no delay was measured: {printed[-400:]}")


def check(tacet, folder):
    server = Server(folder)
    with JackServer(server.environment, RATE_HZ, BUFFER):
        server.wait_for(lambda: server.ports("system"), "waited for the server")
        listed = server.ask(str(tacet), "--list", "--backend", "jack")
        for port in ("capture_1", "capture_2", "playback_1", "playback_2"):
            if f"* system:{port}\n" not in listed:
                fail(f"the list does not mark {port}:\n{listed}")
        stereo = server.start(tacet, "--mix", "0")
        wanted = {
            ("system:capture_1", "tacet:in_1"), ("system:capture_2", "tacet:in_2"),
            ("tacet:out_1", "system:playback_1"), ("tacet:out_2", "system:playback_2"),
        }
        server.wait_for(lambda: wanted <= server.connections(), "waited for both channels")
        mono = server.start(tacet, "--input", "system:capture_2", "--output", "system:playback_2", "--mix", "0")
        more = {("system:capture_2", "tacet-01:in_1"), ("tacet-01:out_1", "system:playback_2")}
        server.wait_for(lambda: wanted | more <= server.connections(), "waited for a second one")
        if len(ports := server.ports("tacet-01")) != 2:
            fail(f"a mono input has {ports}")
        of_card = server.capture_latency("system:capture_1")
        for port in ("tacet:out_1", "tacet:out_2", "tacet-01:out_1"):
            server.wait_for(
                lambda port=port: server.capture_latency(port) == of_card + DELAY,
                f"waited for a latency of {of_card} + {DELAY} at {port}",
            )
        delays = {name: server.round_trip(f"{name}:in_1", f"{name}:out_1") for name in ("tacet", "tacet-01")}
        # A loop of clients takes the server one block.
        if set(delays.values()) != {DELAY + BUFFER}:
            fail(f"the delays are {delays}, not {DELAY} and a block of {BUFFER}")
        mono.send_signal(signal.SIGINT)
        mono.wait(PATIENCE_S)
        server.wait_for(lambda: not server.ports("tacet-01"), "waited for the second one to end")
    with JackServer(server.environment, RATE_HZ, BUFFER):
        server.wait_for(lambda: wanted <= server.connections(), "waited for it on the next server")
        if stereo.poll() is not None:
            fail("it did not wait for the server")
        stereo.send_signal(signal.SIGINT)
        printed = stereo.communicate(timeout=PATIENCE_S)[0]
        server.wait_for(lambda: not server.ports("tacet"), "waited for its end")
    for words in ("as tacet", "is gone", "is back"):
        if words not in printed:
            fail(f"it does not say {words!r}:\n{printed}")
    print(f"JACK: stereo and mono, {DELAY} samples as reported, after a restart of the server as before")


def links(server):
    """Pairs of an output and an input."""
    pairs, port = set(), None
    for line in server.run(["pw-link", "-l"]).stdout.splitlines():
        if not line.startswith(" "):
            port = line
        elif "|->" in line:
            pairs.add((port, line.split("|->")[1].strip()))
    return pairs


def check_on_pipewire(tacet):
    wanted = {
        ("voice:capture_MONO", "tacet:in_1"),
        ("tacet:out_1", "ears:playback_FL"), ("tacet:out_1", "ears:playback_FR"),
    }
    with sound_server.SoundServer(quantum=BUFFER) as server:
        # A source without a device is no sound card, and has to be named.
        process = server.start([str(tacet), "--headless", "--input", "Voice:capture_MONO"])
        server.wait_for(lambda: wanted <= links(server), "its connections")
        before, began = core_seconds(process), time.monotonic()
        time.sleep(3)
        share = (core_seconds(process) - before) / (time.monotonic() - began)
        # Threads that keep a core busy are what it must not have.
        if share > 0.6:
            fail(f"on PipeWire it takes {share:.0%} of a core")
        server.unplug("voice")
        server.plug("voice")
        server.wait_for(lambda: wanted <= links(server), "its connections after the microphone was plugged in again")
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
    print(f"PipeWire: connected, also after the microphone was away; {share:.0%} of a core in a build for tests")


def main(tacet):
    tacet = pathlib.Path(tacet).resolve()
    if all(is_there(program, package) for program, package in PROGRAMS.items()):
        with tempfile.TemporaryDirectory() as folder:
            check(tacet, pathlib.Path(folder))
    if absent := sound_server.absent():
        skip(absent)
    elif is_there("pw-jack", "pipewire-jack"):
        check_on_pipewire(tacet)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
