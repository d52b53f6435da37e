"""Runs the LV2 plugins in lilv, the library that Ardour, qtractor and jalv load LV2 with.

    pip install -r tests/hosts/libraries.txt
    python tests/hosts/lv2.py target/bundled/tacet.lv2 target/bundled/tacet    (`cargo xtask test hosts` does it)

The output must be bit-identical with that of `tacet denoise` for the same recording. Where lilv's programs are not installed the
script says so and goes on, unless TACET_REQUIRE_DAWS is set.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import soundfile

import jack_server
from jack_server import JackServer
from ladspa import CONTROLS, DELAY, Case, is_there, run

SYMBOLS = ("attenuation_limit", "min_db", "max_erb_db", "max_df_db", "processing_buffer", "post_filter")


def check_description(bundle, environment):
    """The ports as a host sees them, and what the standard's own schemas say of the texts."""
    uris = run(["lv2ls"], env=environment).split()
    if uris != ["https://tacet.audio/lv2#mono", "https://tacet.audio/lv2#stereo"]:
        sys.exit(f"lv2ls lists {uris}")
    for uri in uris:
        description = run(["lv2info", uri], env=environment)
        for text in (*SYMBOLS, "lv2core#reportsLatency", "lv2core#hardRTCapable"):
            if text not in description:
                sys.exit(f"lv2info does not name {text}:\n{description}")
    if is_there("lv2_validate", "lv2-dev"):
        texts = sorted(bundle.glob("*.ttl"))
        done = subprocess.run(["lv2_validate", *texts], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0 or "error:" in done.stderr:
            sys.exit(f"lv2_validate: {done.stdout}{done.stderr}")
        print("lv2_validate: no errors")
    print(f"lilv: {len(uris)} plugins")


def check_output(case, folder, environment):
    uri = f"https://tacet.audio/lv2#{('mono', 'stereo')[case.n_channels - 1]}"
    # lv2apply ends with its input, and writes its format: the tail that the delay pushes out needs silence to come out in.
    samples = soundfile.read(case.input, dtype="float32", always_2d=True)[0]
    long = np.concatenate([samples, np.zeros((DELAY, case.n_channels), np.float32)])
    source, output = folder / "lv2_input.wav", folder / "lv2.wav"
    soundfile.write(source, long, 48_000, subtype="FLOAT")
    controls = [word for pair in zip(SYMBOLS, CONTROLS) for word in ("-c", pair[0], str(pair[1]))]
    run(["lv2apply", "-i", source, "-o", output, *controls, uri], env=environment)
    case.check("lv2apply", output, np.inf)


def check_jalv(environment):
    """jalv runs it on a JACK server without hardware: its ports are there, and controls reach it."""
    if not (is_there("jalv", "jalv") and is_there("jackd", "jackd2")):
        return
    environment = environment | jack_server.variables()
    with JackServer(environment, rate_hz=48_000, buffer=1024):
        wait_for_ports(environment, "system:", "JACK")
        for name, channels in (("mono", 1), ("stereo", 2)):
            check_in_jalv(name, channels, environment)
    print("jalv: plays both on JACK, and sets their controls")


def check_in_jalv(name, channels, environment):
    uri = f"https://tacet.audio/lv2#{name}"
    host = subprocess.Popen(
        ["jalv", "-n", f"tacet-{name}", "-c", "attenuation_limit=20", uri],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
    )
    try:
        ports = wait_for_ports(environment, f"tacet-{name}:", "jalv")
        if len(ports) != 2 * channels:
            sys.exit(f"jalv, {name}: {ports}")
        time.sleep(1)
        if host.poll() is not None:
            sys.exit(f"jalv, {name}: it ended\n{host.stdout.read()}")
        printed = host.communicate("controls\n", timeout=20)[0]
        if "attenuation_limit = 20.0" not in printed:
            sys.exit(f"jalv, {name}: {printed}")
    finally:
        jack_server.end(host)


def wait_for_ports(environment, prefix, who):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        listed = subprocess.run(["jack_lsp"], capture_output=True, text=True, env=environment, check=False).stdout
        if ports := [line for line in listed.split() if line.startswith(prefix)]:
            return ports
        time.sleep(0.2)
    sys.exit(f"{who} has no ports")


def main(bundle, tacet):
    bundle = pathlib.Path(bundle).resolve()
    if not is_there("lv2apply", "lilv-utils"):
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # No other plugins: those of the system are not ours to judge.
        (folder / "lv2").mkdir()
        (folder / "lv2" / bundle.name).symlink_to(bundle)
        environment = {**os.environ, "LV2_PATH": str(folder / "lv2")}
        check_description(bundle, environment)
        for n_channels in (1, 2):
            check_output(Case(folder, pathlib.Path(tacet).resolve(), n_channels), folder, environment)
        check_jalv(environment)


if __name__ == "__main__":
    main(*sys.argv[1:3])
