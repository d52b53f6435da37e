"""Lets qtractor's scanner, a host that knows CLAP, load the built plugin.

    python tests/hosts/qtractor.py target/hosts/Tacet.clap          (`cargo xtask test hosts` does it)

Where qtractor is not installed it says so and passes, unless TACET_REQUIRE_DAWS is set.
"""

import os
import pathlib
import subprocess
import sys


def main(plugin):
    plugin = pathlib.Path(plugin).resolve()
    scanner = next(pathlib.Path("/usr/lib").rglob("qtractor_plugin_scan"), None)
    if scanner is None:
        absent = "qtractor is not installed (Debian, Ubuntu: apt-get install qtractor)"
        if os.environ.get("TACET_REQUIRE_DAWS"):
            sys.exit(absent)
        print(f"skipped: {absent}")
        return
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [str(scanner)], input=f"CLAP:{plugin}\n", env=environment, capture_output=True, text=True, timeout=60
    )
    # Type, name, audio ports, MIDI ports, parameters, flags, file: as qtractor's own cache keeps it.
    fields = done.stdout.strip().split("|")
    expected = ["CLAP", "Tacet", "2:2", "0:0", "20:0"]
    if done.returncode != 0 or fields[:5] != expected or fields[6] != str(plugin):
        sys.exit(f"qtractor's scan ended with {done.returncode} and found {fields}, not {expected}:\n{done.stderr}")
    print(f"qtractor: scanned; channels {fields[2]}, parameters {fields[4]}")


if __name__ == "__main__":
    main(sys.argv[1])
