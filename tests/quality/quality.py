"""Measures what Tacet does to noisy speech beside the official runtime, and writes the README's quality table.

    cargo xtask quality

or, by hand, in an environment with libraries.txt and tools.txt installed (--help names the arguments). Each item of
speech_set.py is denoised by the official runtime's C library and by `tacet denoise` with exact and with 16-bit weights,
all with the same model and nothing limited or post-filtered, and scored against the clean speech: STOI, ESTOI and
SI-SDR by `tacet score`, PESQ by the package pesq (wide band, ITU-T P.862.2), DNSMOS P.835 by the package speechmos
(which takes most of the time, and which --no-dnsmos leaves out). The second table compares our outputs with the official
one: the ratio of its power to that of the difference, and by how much the scores differ at most.

Exits with an error if an item's STOI, with exact weights, differs from the official runtime's by more than 0.001.
"""

import argparse
import concurrent.futures
import ctypes
import json
import pathlib
import subprocess
import sys

import numpy as np
import pesq
import soundfile
from scipy import signal

import speech_set

# What the official runtime delays: the overlap and two hops of lookahead, in samples at 48 kHz.
OFFICIAL_DELAY = 1440
STOI_TOLERANCE = 1e-3
SYSTEMS = {
    "noisy": "Noisy input",
    "official": "Official runtime",
    "tacet": "Tacet",
    "tacet16": "Tacet, 16-bit weights",
}
# What `tacet denoise --device` calls ours.
DEVICES = {"tacet": "native", "tacet16": "native16"}
# Key, heading, digits.
SCORES = [
    ("pesq", "PESQ", 2),
    ("stoi", "STOI", 3),
    ("estoi", "ESTOI", 3),
    ("si_sdr_db", "SI-SDR dB", 1),
    ("dnsmos_sig", "DNSMOS SIG", 2),
    ("dnsmos_bak", "BAK", 2),
    ("dnsmos_ovrl", "OVRL", 2),
]


def read(path):
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == speech_set.RATE_HZ and samples.ndim == 1, path
    return samples


class OfficialRuntime:
    """The C library of the official runtime: mono, hop by hop."""

    def __init__(self, library, model):
        self.library = ctypes.CDLL(str(library))
        self.library.df_create.restype = ctypes.c_void_p
        self.library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
        self.library.df_get_frame_length.restype = ctypes.c_size_t
        self.library.df_get_frame_length.argtypes = [ctypes.c_void_p]
        self.library.df_process_frame.restype = ctypes.c_float
        self.library.df_process_frame.argtypes = [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_float)] * 2]
        self.library.df_free.argtypes = [ctypes.c_void_p]
        self.model = str(model).encode()

    def denoise(self, noisy):
        """Aligned with the input and as long."""
        state = self.library.df_create(self.model, 100.0, None)
        hop = self.library.df_get_frame_length(state)
        n_hops = -(-(len(noisy) + OFFICIAL_DELAY) // hop)
        source = np.zeros(n_hops * hop, np.float32)
        source[: len(noisy)] = noisy
        result = np.zeros_like(source)
        address = lambda array: array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        for start in range(0, len(source), hop):
            part = slice(start, start + hop)
            self.library.df_process_frame(state, address(source[part]), address(result[part]))
        self.library.df_free(state)
        return result[OFFICIAL_DELAY : OFFICIAL_DELAY + len(noisy)]


def denoise(args, items):
    """Fills official/, tacet/ and tacet16/."""
    files = [args.out / "noisy" / f"{item['name']}.wav" for item in items]
    for system in ("official", *DEVICES):
        (args.out / system).mkdir(exist_ok=True)
    runtime = OfficialRuntime(args.runtime, args.model)

    def official(file):
        result = runtime.denoise(read(file))
        soundfile.write(args.out / "official" / file.name, result, speech_set.RATE_HZ, subtype="FLOAT")

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(official, files))
    for system, device in DEVICES.items():
        for file in files:
            (args.out / system / file.name).unlink(missing_ok=True)
        command = [args.tacet, "denoise", "--quiet", "--reference", "--device", device, "--out-dir", args.out / system, *files]
        subprocess.run(command, check=True)


def score(args, item):
    """Everything about one item: {system: {score: value}}, and the parity of Tacet's output with the official one."""
    path = {system: args.out / system / f"{item['name']}.wav" for system in ("clean", *SYSTEMS)}
    audio = {system: read(file) for system, file in path.items()}
    command = [args.tacet, "score", "--json", "--delay", "0", path["clean"], *(path[system] for system in SYSTEMS)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    at_16k = {system: signal.resample_poly(samples.astype(float), 1, 3) for system, samples in audio.items()}

    scores = {}
    for system, file in zip(SYSTEMS, report["files"]):
        scores[system] = {
            **{key: float(file["mean"][key]) for key in ("stoi", "stoi_training", "estoi", "si_sdr_db")},
            "pesq": pesq.pesq(16_000, at_16k["clean"], at_16k[system], "wb"),
        }
        if args.dnsmos:
            from speechmos import dnsmos

            mos = dnsmos.run(np.clip(at_16k[system], -1, 1), 16_000)
            scores[system] |= {f"dnsmos_{key}": float(mos[f"{key}_mos"]) for key in ("sig", "bak", "ovrl")}
    official = audio["official"].astype(float)
    parity = {}
    for system in DEVICES:
        difference = audio[system].astype(float) - official
        off = {key: abs(scores[system][key] - scores["official"][key]) for key in ("stoi", "si_sdr_db", "pesq")}
        parity[system] = {
            "snr_db": float(10 * np.log10((official @ official) / max(difference @ difference, 1e-300))),
            "max_difference": float(np.abs(difference).max()),
            **{f"{key}_difference": value for key, value in off.items()},
        }
    return {**item, "scores": scores, "parity": parity}


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def table(results):
    """The README's tables: by SNR and by noise, means over the items; then parity."""
    text = ""
    columns = [column for column in SCORES if column[0] in results[0]["scores"]["noisy"]]
    for key, heading, name in (("snr_db", "SNR", "{} dB"), ("noise", "Noise", "{}")):
        groups = dict.fromkeys(result[key] for result in results)
        text += row([heading, "", *(title for _, title, _ in columns)])
        text += row(["---", "---", *["---:"] * len(columns)])
        for group in [*groups, None]:
            members = [result["scores"] for result in results if group in (None, result[key])]
            for system, title in SYSTEMS.items():
                means = [f"{np.mean([m[system][score] for m in members]):.{digits}f}" for score, _, digits in columns]
                first = name.format(group) if group is not None else "all"
                text += row([first if system == "noisy" else "", title, *means])
        text += "\n"
    first = f"{len(results)} items, against the official runtime's output"
    columns = ["SNR dB, worst", "median", "sample off by at most", "STOI", "SI-SDR dB", "PESQ"]
    text += row([first, *columns]) + row(["---", *["---:"] * len(columns)])
    for system in DEVICES:
        parity = [result["parity"][system] for result in results]
        worst = {key: max(p[key] for p in parity) for key in parity[0]}
        snrs_db = [p["snr_db"] for p in parity]
        numbers = [f"{min(snrs_db):.0f}", f"{np.median(snrs_db):.0f}"]
        keys = ("max_difference", "stoi_difference", "si_sdr_db_difference", "pesq_difference")
        text += row([SYSTEMS[system], *numbers, *(f"{worst[key]:.1e}" for key in keys)])
    return text, max(result["parity"]["tacet"]["stoi_difference"] for result in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tacet", required=True, help="the command-line program")
    parser.add_argument("--runtime", required=True, type=pathlib.Path, help="the official runtime, libdeepfilter.so")
    parser.add_argument("--model", required=True, type=pathlib.Path, help="the official model archive")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="where audio and results go")
    parser.add_argument("--jobs", type=int, default=2, help="items at a time")
    parser.add_argument("--no-dnsmos", dest="dnsmos", action="store_false", help="leave DNSMOS out")
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    print("Making the speech set ...", file=sys.stderr)
    items = speech_set.make(args.out)
    if not any(item["speech"] == "channels" for item in items):
        print("note: alsa-utils is not here: the set goes without its full-band speech", file=sys.stderr)
    print(f"Denoising {len(items)} items ...", file=sys.stderr)
    denoise(args, items)
    print("Scoring ...", file=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda item: score(args, item), items))

    text, worst = table(results)
    (args.out / "results.json").write_text(json.dumps(results, indent=1))
    (args.out / "table.md").write_text(text)
    print(text)
    if worst > STOI_TOLERANCE:
        sys.exit(f"error: an STOI differs from the official runtime's by {worst:.1e}; see {args.out}/results.json")


if __name__ == "__main__":
    main()
