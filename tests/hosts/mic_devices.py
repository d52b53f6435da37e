"""What `tacet mic` does when devices and servers come and go. Parts of mic.py's checks, and of the long run (mic_soak.py)."""

import time

MICROPHONE = "tacet-mic:capture_MONO"
# The port of the stream that takes from the device.
TAKEN = "tacet-mic.device:input_MONO"
PATIENCE_S = 2.0


class Listener:
    """Keeps the microphone running: links it to the loudspeakers."""

    def __init__(self, server):
        self.server = server
        self.listen()

    def listen(self):
        if MICROPHONE in sources_of(self.server, "ears:playback_FL"):
            return
        self.server.wait_for(lambda: MICROPHONE in self.server.ports("-o"), "the virtual source")
        self.server.link(MICROPHONE, "ears:playback_FL")


def sources_of(server, port):
    """The ports that are linked to one."""
    feeding, listed = [], ""
    # A port, and below it, indented, what it is linked to.
    for line in server.run(["pw-link", "--links"]).stdout.splitlines():
        listed = line if not line.startswith(" ") else listed
        if listed.startswith(port) and "|<-" in line:
            feeding.append(line.split("|<-")[1].strip())
    return feeding


def processed(mic):
    return float(mic.status()["processed"].split()[0])


def until_sound(server, mic, source="voice:capture_MONO"):
    """Seconds until samples of the source come through."""
    start = time.monotonic()
    server.wait_for(lambda: sources_of(server, TAKEN) == [source], "the microphone's link to its source", 20)
    before = processed(mic)
    server.wait_for(lambda: processed(mic) > before, "samples", 20)
    return time.monotonic() - start


def replug(server, mic):
    """Takes the source away and puts it back; seconds until there is sound again."""
    server.unplug("voice")
    time.sleep(0.3)
    if mic.process.poll() is not None:
        raise RuntimeError(f"it ended when its source went\n{server.log()}")
    server.plug("voice")
    return until_sound(server, mic)


def restart(server, mic, listener):
    """Restarts the server; seconds until there is sound again."""
    server.stop_server()
    server.start_server()
    start = time.monotonic()
    listener.listen()
    until_sound(server, mic)
    return time.monotonic() - start


def check(server, mic, n_replugs, n_restarts, fail):
    listener = Listener(server)
    until_sound(server, mic)
    replugs = [replug(server, mic) for _ in range(n_replugs)]
    restarts = [restart(server, mic, listener) for _ in range(n_restarts)]
    print(
        f"tacet mic: sound is back after {n_replugs} replugs of its source within {max(replugs, default=0):.1f} s of each, and after "
        f"{n_restarts} restarts of the server within {max(restarts, default=0):.1f} s"
    )
    if max([0, *replugs, *restarts]) > PATIENCE_S:
        fail(f"that is too long: {replugs}, {restarts}")
    if (n := int(mic.status()["reconnected"])) < n_restarts:
        fail(f"it reports {n} restarts")


def check_default(server, fail):
    """It follows the default source, while somebody listens too."""
    server.plug("desk")
    for name in ("desk", "voice", "desk"):
        server.make_default(name)
        port = f"{name}:capture_MONO"
        server.wait_for(lambda: sources_of(server, TAKEN) == [port], f"{name} as the source", 5)
    # The one that is left takes its place.
    server.unplug("desk")
    server.wait_for(lambda: sources_of(server, TAKEN) == ["voice:capture_MONO"], "the source that is left", 5)
    server.make_default("voice")
    print("tacet mic: follows the default source, and takes another one when it goes")


def check_silence(server, mic, fail):
    """A silent input is reported."""
    server.wait_for(lambda: "silent" in mic.status()["problem"], "word of the silent input", 20)
    print("tacet mic: a silent input is named in its status")
