"""A JACK server without hardware, for the hosts that need one: a context manager.

JACK keeps the names of at most eight servers per machine, and a server that is killed leaves its name there. So a server here is
asked to end before it is killed, and names that no server stands behind any more are removed first.
"""

import os
import pathlib
import subprocess

REGISTRY = pathlib.Path("/dev/shm/jack-shm-registry")
END_S = 10


def variables():
    """What makes this process's clients, and only these, talk to this process's server."""
    return {"JACK_DEFAULT_SERVER": f"tacet-{os.getpid()}", "JACK_NO_AUDIO_RESERVATION": "1"}


def is_one_running():
    """Whether any JACK server runs on this machine."""
    for name in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if name.read_text().strip() in ("jackd", "jackdbus"):
                return True
        except OSError:
            pass
    return False


def end(process):
    """Ends a process that may want to tidy up after itself."""
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class JackServer:
    def __init__(self, environment, rate_hz, buffer, log=subprocess.DEVNULL):
        self.command = ["jackd", "--no-realtime", "--no-mlock", "-d", "dummy", "-r", str(rate_hz), "-p", str(buffer)]
        self.options = {"env": environment | variables(), "stdout": log, "stderr": log}

    def __enter__(self):
        if not is_one_running() and REGISTRY.exists() and os.access(REGISTRY, os.W_OK):
            REGISTRY.unlink()
        self.process = subprocess.Popen(self.command, **self.options)
        return self

    def __exit__(self, *_):
        end(self.process)
