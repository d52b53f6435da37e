"""Compares `tacet score` with pystoi on real speech.

    pip install -r tests/python/libraries.txt
    pip install --no-deps --require-hashes -r tests/python/tools.txt
    python tests/python/check_scores.py target/debug/tacet

The pairs are the demo's clean recording against its noisy one and against itself with seeded noise of several levels,
at three sample rates. STOI and ESTOI must agree within 1e-3; 3e-15 was observed, since both compute the published
definition in double precision.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import soundfile
from pystoi import stoi
from scipy import signal

TOLERANCE = 1e-3
ASSETS = pathlib.Path(__file__).resolve().parents[2] / "assets"
RATES_HZ = (48_000, 44_100, 16_000)
SNRS_DB = (-5, 5, 20)


def pairs():
    """(name, rate, clean, degraded), all single precision as they will be in the files."""
    clean, rate_hz = soundfile.read(ASSETS / "demo_clean.flac")
    noisy, _ = soundfile.read(ASSETS / "demo_noisy.wav")
    rng = np.random.default_rng(20_240_607)
    for target_hz in RATES_HZ:
        x, room = (signal.resample_poly(s, target_hz, rate_hz) if target_hz != rate_hz else s for s in (clean, noisy))
        noise = rng.standard_normal(len(x)) * np.sqrt(np.mean(x**2))
        yield f"demo at {target_hz} Hz", target_hz, x, room
        for snr_db in SNRS_DB:
            yield f"white noise {snr_db:+} dB at {target_hz} Hz", target_hz, x, x + noise * 10 ** (-snr_db / 20)


def main(tacet):
    n_failed, worst = 0, 0.0
    with tempfile.TemporaryDirectory() as directory:
        clean_file, degraded_file = (pathlib.Path(directory, name) for name in ("clean.wav", "degraded.wav"))
        for name, rate_hz, clean, degraded in pairs():
            clean, degraded = clean.astype(np.float32), degraded.astype(np.float32)
            soundfile.write(clean_file, clean, rate_hz, subtype="FLOAT")
            soundfile.write(degraded_file, degraded, rate_hz, subtype="FLOAT")
            command = [tacet, "score", "--json", clean_file, degraded_file]
            report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["files"][0]
            delay = report["delay_samples"]
            assert delay == 0, f"{name}: a delay of {delay} samples was found in aligned files"
            for key, extended in (("stoi", False), ("estoi", True)):
                theirs = stoi(clean.astype(float), degraded.astype(float), rate_hz, extended=extended)
                difference = abs(report["mean"][key] - theirs)
                worst = max(worst, difference)
                if difference > TOLERANCE:
                    n_failed += 1
                    print(f"{name}: {key} is {report['mean'][key]:.6f}, pystoi says {theirs:.6f}")
    n_checks = len(RATES_HZ) * (1 + len(SNRS_DB)) * 2
    print(f"largest difference from pystoi: {worst:.1e}")
    # cargo's closing line, which `cargo xtask test` counts.
    print(f"test result: {'FAILED' if n_failed else 'ok'}. {n_checks - n_failed} passed; {n_failed} failed;")
    return n_failed > 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: check_scores.py PATH_OF_TACET")
    sys.exit(main(sys.argv[1]))
