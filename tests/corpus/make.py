#!/usr/bin/env python3
"""Makes the corpus: files of every container, codec, header variant and damage, and what is expected of each.

    tests/corpus/make.py FOLDER

writes the files and FOLDER/cases.tsv. Needs ffmpeg, sox, lame, flac, opusenc and oggenc, as Debian has them. What a program
of them does not make is built here byte by byte. The signal is a sum of sines under a moving level: no two moments are alike.
"""

import array
import math
import os
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

SECONDS = 1.25
OUT = sys.argv[1]
os.makedirs(OUT, exist_ok=True)
jobs, cases = [], []
# Why the end of a recording of few samples per second is not found to 30 ms.
LONG = "padding up to a packet, which is longer than 30 ms, is not told from quiet sound unless it is silent"


def path(name):
    return os.path.join(OUT, name)


def signal(rate, channels, seconds=SECONDS):
    """Interleaved samples within -1..1, different in every channel."""
    frames = int(rate * seconds) + 7
    lists = []
    for channel in range(channels):
        partials = [(70.0 + 37 * channel + 113.0 * k * (1 + 0.11 * k), 0.3 / (k + 1)) for k in range(5)]
        partials = [(hz, level) for hz, level in partials if hz < rate * 0.4]
        one = []
        for i in range(frames):
            t = i / rate
            level = 0.55 + 0.45 * math.sin(2 * math.pi * (1.7 * t + 0.9 * t * t))
            one.append(level * sum(a * math.sin(2 * math.pi * hz * (t + 0.013 * t * t)) for hz, a in partials))
        lists.append(one)
    return [lists[c][i] for i in range(frames) for c in range(channels)]


signals = {}


def reference(rate, channels):
    """The name of the signal's file, 24 bits, and its samples."""
    key = (rate, channels)
    if key not in signals:
        samples = signal(rate, channels)
        name = f"reference-{rate}-{channels}.wav"
        data = pcm(samples, 24)
        with open(path(name), "wb") as file:
            file.write(riff(fmt(1, channels, rate, 24), data))
        signals[key] = (name, samples)
    return signals[key]


def reference_of(beside, *parts):
    """The name of the file of a stereo signal in parts, at 48 kHz and 24 bits."""
    samples = [sample for part in parts for sample in part]
    name = "parts-" + beside
    with open(path(name), "wb") as file:
        file.write(riff(fmt(1, 2, 48000, 24), pcm(samples, 24)))
    return name, samples


def pcm(samples, bits, container=None, big=False):
    """Integers at the upper end of their containers."""
    container = container or (bits + 7) // 8
    shift = 8 * container - bits
    scale = 2 ** (bits - 1)
    out = bytearray()
    for sample in samples:
        value = max(-scale, min(scale - 1, round(sample * scale))) << shift
        if container == 1 and not big:
            value += 128
            out.append(value & 255)
        else:
            out += (value & (256**container - 1)).to_bytes(container, "big" if big else "little")
    return bytes(out)


def fmt(code, channels, rate, bits, align=None, more=b""):
    align = align if align is not None else channels * ((bits + 7) // 8)
    return struct.pack("<HHIIHH", code, channels, rate, rate * align, align, bits) + more


def extensible(channels, rate, bits, valid, mask):
    guid = bytes([1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71])
    return fmt(0xFFFE, channels, rate, bits, more=struct.pack("<HHI", 22, valid, mask) + guid)


def chunk(name, content, pad=True):
    return name + struct.pack("<I", len(content)) + content + (b"\0" if pad and len(content) % 2 else b"")


def riff(fmt_chunk, data, size=None, data_size=None, before=b"", behind=b"", magic=b"RIFF", pad=True):
    head = b"WAVE" + before + chunk(b"fmt ", fmt_chunk)
    data_size = len(data) if data_size is None else data_size
    body = head + b"data" + struct.pack("<I", data_size) + data + (b"\0" if pad and len(data) % 2 else b"") + behind
    size = len(body) if size is None else size
    return magic + struct.pack("<I", size) + body


def case(name, group, expect, ref="-", tolerance=0, notes="quiet", why=""):
    """expect: `equal` (samples of ref), `aligned` and `late` (lossy), `length`, `part` or `refused`. notes: `quiet`, or a word."""
    cases.append((name, group, expect, ref, str(tolerance), notes, why))


def write(name, content, *args, **more):
    with open(path(name), "wb") as file:
        file.write(content)
    case(name, *args, **more)


def run(*words):
    jobs.append([str(word) for word in words])


def ffmpeg(source, name, *words):
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", "-i", path(source), *words, path(name))


def flush():
    """Runs what was collected, two at a time; jobs of one flush do not need each other."""
    def one(job):
        done = subprocess.run(job, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(job)}\n{done.stderr}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, jobs))
    jobs.clear()


def read(name):
    with open(path(name), "rb") as file:
        return file.read()


def plain():
    """Uncompressed containers as programs write them."""
    ref, _ = reference(44100, 2)
    for codec in ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"]:
        for kind, words in [("wav", []), ("rf64", ["-f", "wav", "-rf64", "always"]), ("w64", [])]:
            name = f"{codec}.{kind}"
            ffmpeg(ref, name, *words, "-c:a", codec)
            case(name, f"{kind} PCM", "equal", ref, tolerance_of(codec))
    for codec in ["pcm_s8", "pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be", "pcm_alaw", "pcm_mulaw"]:
        for kind in ["aiff", "au", "caf"]:
            name = f"{codec}.{kind}"
            ffmpeg(ref, name, "-c:a", codec)
            case(name, f"{kind} PCM", "equal", ref, tolerance_of(codec))
    for codec in ["pcm_s16le", "pcm_s24le", "pcm_f32le"]:
        ffmpeg(ref, f"{codec}.caf", "-c:a", codec)
        case(f"{codec}.caf", "caf PCM", "equal", ref, tolerance_of(codec))
    ffmpeg(ref, "sowt.aifc", "-f", "aiff", "-c:a", "pcm_s16le")
    case("sowt.aifc", "aiff PCM", "equal", ref, tolerance_of("pcm_s16le"))
    for codec in ["adpcm_ms", "adpcm_ima_wav"]:
        ffmpeg(ref, f"{codec}.wav", "-c:a", codec)
        case(f"{codec}.wav", "wav ADPCM", "aligned", ref, 2100, why="whole blocks")
    for codec in ["ms-adpcm", "ima-adpcm"]:
        run("sox", path(ref), "-e", codec, path(f"sox_{codec}.wav"))
        case(f"sox_{codec}.wav", "wav ADPCM", "aligned", ref, why="ffmpeg keeps what fills up the last block")


def tolerance_of(codec):
    bits = {"u8": 8, "s8": 8, "16": 16, "24": 24, "32": 24, "64": 24}
    if "law" in codec:
        return 0.02
    return next(1.01 / 2 ** (value - 1) for key, value in bits.items() if key in codec)


def headers():
    """WAV headers as they are found, most of them wrong."""
    rate = 44100
    ref, mono = reference(rate, 1)
    data = pcm(mono, 16)
    one = 1.01 / 32768
    plain_fmt = fmt(1, 1, rate, 16)

    def wav(name, content, notes="quiet", expect="equal", why="", tolerance=one, ref=ref):
        write(name + ".wav", content, "wav headers", expect, ref, tolerance, notes, why)

    for n_more in [2, 4, 8, 24, 34, 48]:
        wav(f"fmt{16 + n_more}", riff(plain_fmt + bytes(n_more), data))
    wav("both_zero", riff(plain_fmt, data, size=0, data_size=0), "states no length")
    wav("data_zero", riff(plain_fmt, data, size=36, data_size=0), "states no length")
    for size in [0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF - 36, 0x7FFFF000 - 36]:
        wav(f"placeholder_{size:x}", riff(plain_fmt, data, size=size, data_size=size))
    whole = 44 + len(data)
    wav("data_is_filesize", riff(plain_fmt, data, data_size=whole))
    wav("data_is_filesize_8", riff(plain_fmt, data, data_size=whole - 8))
    wav("riff_minus8", riff(plain_fmt, data, size=whole - 16))
    wav("riff_zero", riff(plain_fmt, data, size=0))
    wav("riff_huge", riff(plain_fmt, data, size=0xFFFFFF00))
    wav("stale", riff(plain_fmt, data, size=36 + len(data) // 4 * 2, data_size=len(data) // 4 * 2), "all of it was read")
    wav("cut", riff(plain_fmt, data)[: 44 + len(data) // 2 + 1], "cut off", "length", tolerance=len(data) // 4)
    behind = {
        "list": chunk(b"LIST", b"INFOINAM\x05\0\0\0Talk\0\0"),
        "unknown": chunk(b"xyz1", b"abc"),
        "id3v1": b"TAG" + b"Title".ljust(125, b" "),
        "id3v2": b"ID3\x03\0\0\0\0\0\x0a" + bytes(10),
        "bext": chunk(b"bext", bytes(602)),
        "cut_list": chunk(b"LIST", b"INFOINAM\x05\0\0\0Talk\0\0")[:11],
    }
    for name, tail in behind.items():
        wav(f"behind_{name}", riff(plain_fmt, data, behind=tail))
    wav("junk_before", riff(plain_fmt, data, before=chunk(b"JUNK", bytes(28)) + chunk(b"bext", bytes(601))))
    wav("odd_chunk_unpadded", riff(plain_fmt, data, before=chunk(b"iXML", b"<a/>1", pad=False)))
    mono8 = pcm(mono, 8)
    odd = mono8 if len(mono8) % 2 else mono8[:-1]
    wav("odd_data", riff(fmt(1, 1, rate, 8), odd, behind=behind["list"]), "quiet", "length", tolerance=len(odd))
    wav("odd_data_unpadded", riff(fmt(1, 1, rate, 8), odd, behind=behind["list"], pad=False), "quiet", "length",
        tolerance=len(odd))
    for bits, container in [(12, 2), (20, 3), (24, 4), (18, 4)]:
        content = riff(fmt(1, 1, rate, bits, align=container), pcm(mono, bits, container))
        wav(f"plain{bits}in{8 * container}", content, tolerance=1.01 / 2 ** (bits - 1))
    wav("extensible20", riff(extensible(1, rate, 24, 20, 4), pcm(mono, 20, 3)), tolerance=1.01 / 2**19)
    wav("extensible_short", riff(fmt(0xFFFE, 1, rate, 16), data))
    wav("no_align", riff(fmt(1, 1, rate, 16, align=0), data))
    ds64 = lambda size: chunk(b"ds64", struct.pack("<QQQI", whole + 28, size, len(mono), 0))
    for magic in [b"RF64", b"BW64"]:
        name = magic.decode().lower()
        full = riff(plain_fmt, data, 0xFFFFFFFF, 0xFFFFFFFF, before=ds64(len(data)), magic=magic)
        wav(f"{name}_built", full)
        wav(f"{name}_never_written", riff(plain_fmt, data, 0xFFFFFFFF, 0xFFFFFFFF, before=ds64(0), magic=magic))
    swapped = struct.pack(">HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    big = b"RIFX" + struct.pack(">I", 36 + len(data)) + b"WAVEfmt " + struct.pack(">I", 16) + swapped
    wav("rifx", big + b"data" + struct.pack(">I", len(data)) + pcm(mono, 16, big=True))
    write("no_data.wav", riff(plain_fmt, b"")[:36], "wav headers", "refused", notes="no data chunk")
    write("empty_recording.wav", riff(plain_fmt, b""), "wav headers", "length", "-", 0)
    for channels, mask in [(3, 7), (6, 0x3F), (8, 0x63F), (16, 0), (28, 0), (32, 0), (64, 0), (6, 0x60F)]:
        few = [0.9 * math.sin(0.01 * i * (1 + i % channels)) for i in range(200 * channels)]
        content = riff(extensible(channels, 48000, 16, 16, mask), pcm(few, 16))
        write(f"channels{channels}_{mask:x}.wav", content, "wav channels", "length", "-", 200)
    # AIFF, AU and CAF likewise.
    rate80 = struct.pack(">HQ", 0x3FFF + 15, rate << 48)
    comm = b"COMM" + struct.pack(">IHIH", 18, 1, len(mono), 16) + rate80
    big_data = pcm(mono, 16, big=True)

    def ssnd(size):
        return b"SSND" + struct.pack(">III", size, 0, 0) + big_data

    def form(*parts):
        body = b"AIFF" + b"".join(parts)
        return b"FORM" + struct.pack(">I", len(body)) + body

    size = len(big_data) + 8
    write("early_ssnd.aiff", form(ssnd(size), comm), "aiff headers", "equal", ref, one)
    write("ssnd_zero.aiff", form(comm, ssnd(8)), "aiff headers", "equal", ref, one, "states no length")
    write("ssnd_cut.aiff", form(comm, ssnd(size))[:-20000], "aiff headers", "length", "-", len(mono) - 10000, "cut off")
    for name, magic, order in [("big", b".snd", ">"), ("little", b"dns.", "<")]:
        for length_name, length in [("open", 0xFFFFFFFF), ("zero", 0), ("right", len(data))]:
            content = magic + struct.pack(order + "5I", 32, length, 3, rate, 1) + bytes(8)
            content += big_data if order == ">" else data
            notes = "states no length" if length == 0 else "quiet"
            write(f"{name}_{length_name}.au", content, "au headers", "equal", ref, one, notes)
    desc = b"desc" + struct.pack(">qd4sIIIII", 32, rate, b"lpcm", 2, 2, 1, 1, 16)
    for name, length in [("open", -1), ("right", len(data) + 4), ("zero", 4)]:
        notes = "states no length" if name == "zero" else "quiet"
        content = b"caff\0\1\0\0" + desc + b"data" + struct.pack(">qI", length, 0) + data
        write(f"{name}.caf", content, "caf headers", "equal", ref, one, notes)


def mpeg():
    """MP3 and its kin."""
    for rate, words in [(44100, ["-b", "128"]), (48000, ["-V", "2"]), (32000, ["--abr", "96"]), (24000, ["-V", "4"]),
                        (22050, ["-b", "64"]), (16000, ["-V", "5"]), (11025, ["-b", "32"]), (8000, ["-b", "32"])]:
        for channels in [1, 2]:
            ref, _ = reference(rate, channels)
            name = f"lame{rate}x{channels}.mp3"
            run("lame", "--quiet", "--resample", rate / 1000, *words, path(ref), path(name))
            case(name, "mp3", "aligned", ref, 0)
    ref, _ = reference(48000, 2)
    mono, _ = reference(48000, 1)
    slow, _ = reference(24000, 1)
    for name, words in [("noxing_cbr", ["-t", "-b", "96", "--resample", "48"]), ("noxing_vbr", ["-t", "-V", "3"])]:
        run("lame", "--quiet", *words, path(ref), path(name + ".mp3"))
        case(name + ".mp3", "mp3", "late", ref, why="no encoder header")
    ffmpeg(ref, "libmp3lame.mp3", "-c:a", "libmp3lame", "-q:a", "3", "-metadata", "title=Talk")
    case("libmp3lame.mp3", "mp3", "aligned", ref, 0)
    for layer in ["mp2"]:
        ffmpeg(ref, f"{layer}.{layer}", "-c:a", layer)
        case(f"{layer}.{layer}", "mp2", "late", ref, why="mp2 says nothing of its delay")
    ffmpeg(ref, "mp3.wav", "-c:a", "libmp3lame")
    case("mp3.wav", "wav MP3", "late", ref, why="says nothing of its delay")
    for kind in ["mp4", "mkv", "mov"]:
        ffmpeg(ref, f"mp3.{kind}", "-c:a", "libmp3lame")
        case(f"mp3.{kind}", f"{kind} MP3", "late", ref, why="its delay is not said in every container")
    flush()
    whole = read("lame48000x2.mp3")
    half = read("lame48000x1.mp3")
    slower = read("lame24000x1.mp3")
    frames = len(signals[(48000, 2)][1]) // 2
    id3v2 = b"ID3\x03\0\0\0\0\x01\x00" + bytes(128)
    id3v1 = b"TAG" + b"Title".ljust(125, b" ")
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)
    tagged = {"id3v2": id3v2 + whole, "id3v1": whole + id3v1, "both": id3v2 + whole + id3v1, "ape": whole + ape,
              "ape_id3v1": whole + ape + id3v1, "zeros_behind": whole + bytes(2000)}
    for name, content in tagged.items():
        notes = "no sound" if name == "zeros_behind" else "quiet"
        write(f"{name}.mp3", content, "mp3 tags", "aligned", ref, 0, notes)
    write("joined.mp3", whole + whole, "mp3 joined", "length", "-", 2 * frames)
    write("joined_tags.mp3", id3v2 + whole + id3v1 + id3v2 + whole, "mp3 joined", "length", "-", 2 * frames)
    write("mono_stereo.mp3", half + whole, "mp3 joined", "length", "-", 2 * frames, "channels changes")
    write("rate_change.mp3", whole + slower, "mp3 joined", "length", "-", frames + 2 * (len(signals[(24000, 1)][1])),
          "rate changes")
    at = whole.find(b"Xing") if b"Xing" in whole[:200] else whole.find(b"Info")
    count = struct.unpack(">I", whole[at + 8 : at + 12])[0]
    for name, value, expect, notes in [("zero", 0, "aligned", "quiet"), ("stale", count // 3, "late", "quiet"),
                                       ("too_many", count * 2, "late", "quiet"), ("never", 0xFFFFFFFF, "late", "quiet")]:
        content = whole[: at + 8] + struct.pack(">I", value) + whole[at + 12 :]
        write(f"xing_{name}.mp3", content, "mp3 Xing", expect, ref, 0, notes,
              why="frames are counted" if name != "zero" else "")
    write("cut.mp3", whole[: len(whole) // 2], "mp3 damage", "part", "-", 0, "cut off")
    middle = len(whole) // 2
    write("rubbish.mp3", whole[:middle] + bytes(range(256)) * 4 + whole[middle:], "mp3 damage", "length", "-", -frames, "no sound")
    write("start_cut.mp3", whole[middle:], "mp3 damage", "part", "-", 0, "no sound")


def aac():
    """AAC and ALAC in their containers, edit lists."""
    for rate, channels in [(44100, 2), (48000, 1), (16000, 1), (96000, 2)]:
        ref, _ = reference(rate, channels)
        ffmpeg(ref, f"aac{rate}x{channels}.m4a", "-c:a", "aac", "-b:a", "96k" if rate > 16000 else "32k")
        case(f"aac{rate}x{channels}.m4a", "m4a AAC", "aligned", ref, 0)
        ffmpeg(ref, f"aac{rate}x{channels}.aac", "-c:a", "aac", "-b:a", "96k" if rate > 16000 else "32k")
        case(f"aac{rate}x{channels}.aac", "adts AAC", "late", ref, 1024 if rate == 16000 else 0, why=LONG if rate == 16000 else "no delay stated")
    ref, samples = reference(48000, 2)
    frames = len(samples) // 2
    for name, words in [("faststart.m4a", ["-movflags", "+faststart"]), ("aac.mov", []), ("aac.mp4", []), ("aac.mkv", [])]:
        ffmpeg(ref, name, "-c:a", "aac", *words)
        late = name.endswith("mkv")
        case(name, f"{name[-3:]} AAC", "late" if late else "aligned", ref,
             why="this ffmpeg says nothing of the delay in Matroska" if late else "")
    ffmpeg(ref, "fragmented.mp4", "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov", "-frag_duration", "300000")
    case("fragmented.mp4", "mp4 AAC", "late", ref, why="fragments end with whole packets")
    for bits, form in [(16, "s16p"), (24, "s32p")]:
        for kind in ["m4a", "caf", "mov", "mkv"]:
            ffmpeg(ref, f"alac{bits}.{kind}", "-c:a", "alac", "-sample_fmt", form)
            case(f"alac{bits}.{kind}", f"{kind} ALAC", "equal", ref, 1.01 / 2 ** (bits - 1))
    for kind, codecs in [("mov", ["pcm_s16le", "pcm_s24be", "pcm_f32le"]), ("mkv", ["pcm_s16le", "pcm_s24le", "pcm_f32le"])]:
        for codec in codecs:
            ffmpeg(ref, f"{codec}.{kind}", "-c:a", codec)
            case(f"{codec}.{kind}", f"{kind} PCM", "equal", ref, tolerance_of(codec))
    picture = ["-f", "lavfi", "-i", "color=size=32x32:rate=25:duration=2"]
    for name, words in [("video.mp4", ["-c:a", "aac"]), ("video.mkv", ["-c:a", "aac"]), ("video.mov", ["-c:a", "pcm_s16le"]),
                        ("video.webm", ["-c:v", "libvpx", "-c:a", "libopus"])]:
        run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", "-i", path(ref), *picture, *words, path(name))
        late = name == "video.mkv"
        case(name, f"{name[-4:].strip('.')} video", *(["length", "-", -(frames + 1024)] if late else ["aligned", ref]),
             why="beside a picture the first block stays" if late else "")
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *picture, "-itsoffset", "0.678", "-i", path(ref),
        "-c:a", "aac", path("late_sound.mp4"))
    case("late_sound.mp4", "mp4 edits", "length", "-", -(frames + int(0.678 * 48000)), why="silence before the sound")
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *picture, "-itsoffset", "0.678", "-i", path(ref),
        "-c:a", "libopus", path("late_sound.mkv"))
    case("late_sound.mkv", "mkv edits", "length", "-", -(frames + int(0.678 * 48000)), why="silence before the sound")
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", "-i", path(ref), "-i", path(reference(48000, 1)[0]),
        "-map", "0:a", "-map", "1:a", "-c:a", "aac", path("two_tracks.mp4"))
    case("two_tracks.mp4", "mp4 tracks", "aligned", ref, 0, "--track")
    flush()
    base = read("aac.mp4")
    for name, edits in {
        "two_parts": [(400, 1024), (300, 30000)],
        "with_gap": [(400, 1024), (200, -1), (300, 25000)],
        "empty_first": [(150, -1), (500, 1024)],
        "goes_back": [(300, 30000), (300, 1024)],
        "three_gaps": [(100, -1), (100, 2000), (100, -1), (100, 9000), (100, -1), (100, 1024)],
    }.items():
        total = sum(length for length, _ in edits) * 48
        write(f"{name}.m4a", with_edits(base, edits), "mp4 edits", "length", "-", total)
    write("cut.m4a", base[: len(base) // 2], "mp4 damage", "refused", notes="index")
    fast = read("faststart.m4a")
    write("cut_faststart.m4a", fast[: len(fast) * 2 // 3], "mp4 damage", "part", "-", 0, "cut off")


def boxes(data, start, end):
    while start + 8 <= end:
        size = struct.unpack(">I", data[start : start + 4])[0]
        yield data[start + 4 : start + 8], start, start + size
        start += size


def with_edits(data, edits):
    """An MP4 whose index is its last box, with another edit list (movie timescale 1000)."""
    moov = next(box for box in boxes(data, 0, len(data)) if box[0] == b"moov")
    trak = next(box for box in boxes(data, moov[1] + 8, moov[2]) if box[0] == b"trak")
    edts = next(box for box in boxes(data, trak[1] + 8, trak[2]) if box[0] == b"edts")
    entries = b"".join(struct.pack(">Ii", length, start) + b"\0\1\0\0" for length, start in edits)
    elst = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits)) + entries
    new = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
    grown = len(new) - (edts[2] - edts[1])
    out = bytearray(data[: edts[1]] + new + data[edts[2] :])
    for box in (moov, trak):
        out[box[1] : box[1] + 4] = struct.pack(">I", box[2] - box[1] + grown)
    return bytes(out)


def xiph():
    """Opus, Vorbis and FLAC."""
    for channels in [1, 2, 6]:
        ref, _ = reference(48000, channels)
        for bitrate in ["24k", "96k"]:
            name = f"opus{bitrate}x{channels}"
            rate = f"{int(bitrate[:-1]) * (6 if channels == 6 else 1)}k"
            ffmpeg(ref, name + ".opus", "-c:a", "libopus", "-b:a", rate, *(["-mapping_family", "1"] if channels == 6 else []))
            case(name + ".opus", "ogg Opus", "aligned", ref, 0)
        ffmpeg(ref, f"vorbis{channels}.ogg", "-c:a", "libvorbis", "-q:a", "3")
        case(f"vorbis{channels}.ogg", "ogg Vorbis", "aligned", ref, 0)
    ref, samples = reference(48000, 2)
    frames = len(samples) // 2
    for ms in [2.5, 5, 10, 40, 60, 120]:
        ffmpeg(ref, f"opus{ms}ms.opus", "-c:a", "libopus", "-frame_duration", ms)
        case(f"opus{ms}ms.opus", "ogg Opus", "aligned", ref, 0)
    ffmpeg(ref, "voip.opus", "-c:a", "libopus", "-b:a", "12k", "-application", "voip", "-ac", "1")
    case("voip.opus", "ogg Opus", "length", "-", frames)
    run("opusenc", "--quiet", "--bitrate", "32", path(ref), path("opusenc.opus"))
    case("opusenc.opus", "ogg Opus", "aligned", ref, 0)
    for kind in ["webm", "mkv"]:
        ffmpeg(ref, f"opus.{kind}", "-c:a", "libopus")
        case(f"opus.{kind}", f"{kind} Opus", "aligned", ref, 0)
        ffmpeg(ref, f"vorbis.{kind}", "-c:a", "libvorbis")
        case(f"vorbis.{kind}", f"{kind} Vorbis", "aligned", ref, 2048, why="this ffmpeg does not write where in the last packet the end is")
    for rate in [8000, 22050, 96000]:
        low, _ = reference(rate, 1)
        run("oggenc", "--quiet", "--serial", 1, "-q", 4, "-o", path(f"oggenc{rate}.ogg"), path(low))
        case(f"oggenc{rate}.ogg", "ogg Vorbis", "aligned", low, 0)
    for bits, form in [(16, "s16"), (24, "s32")]:
        for kind in ["flac", "oga", "mkv", "mp4"]:
            more = ["-strict", "-2"] if kind == "mp4" else ["-f", "ogg"] if kind == "oga" else []
            ffmpeg(ref, f"flac{bits}.{kind}", "-c:a", "flac", "-sample_fmt", form, *more)
            case(f"flac{bits}.{kind}", f"{kind} FLAC", "equal", ref, 1.01 / 2 ** (bits - 1))
    flush()
    flac = read("flac16.flac")
    info = 8 + 13
    unknown = bytearray(flac)
    unknown[info] &= 0xF0
    unknown[info + 1 : info + 5] = bytes(4)
    one = 1.01 / 32768
    write("unknown_length.flac", bytes(unknown), "flac headers", "equal", ref, one)
    write("id3.flac", b"ID3\x03\0\0\0\0\x01\x00" + bytes(128) + flac, "flac headers", "equal", ref, one)
    write("cut.flac", flac[: len(flac) // 2], "flac damage", "part", "-", 0, "cut off")
    damaged = bytearray(flac)
    damaged[len(flac) // 2 : len(flac) // 2 + 40] = bytes(40)
    write("damaged.flac", bytes(damaged), "flac damage", "length", "-", -frames, "became silence")
    for kind in ["opus96kx2.opus", "vorbis2.ogg"]:
        content = read(kind)
        codec = "Opus" if "opus" in kind else "Vorbis"
        stem, extension = kind.rsplit(".", 1)
        write(f"{stem}_chained.{extension}", content + renumbered(content), f"ogg {codec}", "length", "-", 2 * frames)
        write(f"{stem}_unplaced.{extension}", unplaced(content), f"ogg {codec}", "aligned", ref, 0,
              why="pages without a position (-1)")
        write(f"{stem}_cut.{extension}", content[: len(content) * 2 // 3], f"ogg {codec} damage", "part", notes="cut off", why="what is there of the last page is read")
    other = read("oggenc22050.ogg")
    write("chained_rates.ogg", read("vorbis2.ogg") + other, "ogg Vorbis", "length", "-",
          frames + math.ceil(len(signals[(22050, 1)][1]) * 48000 / 22050), "changes on the way")


def pages(data):
    start = 0
    while data[start : start + 4] == b"OggS":
        n = data[start + 26]
        end = start + 27 + n + sum(data[start + 27 : start + 27 + n])
        yield bytearray(data[start:end])
        start = end


def checked(page):
    """A page with its checksum."""
    page[22:26] = bytes(4)
    crc = 0
    for byte in page:
        crc = (crc << 8 & 0xFFFFFFFF) ^ CRC[(crc >> 24) ^ byte]
    page[22:26] = struct.pack("<I", crc)
    return bytes(page)


def crc_table():
    table = []
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
        table.append(value)
    return table


CRC = crc_table()


def renumbered(data):
    out = []
    for page in pages(data):
        page[14:18] = b"\1\2\3\4"
        out.append(checked(page))
    return b"".join(out)


def unplaced(data):
    """Every other page of sound without a position; first and last keep theirs."""
    all_pages = list(pages(data))
    for index, page in enumerate(all_pages):
        if 3 < index < len(all_pages) - 1 and index % 2:
            page[6:14] = b"\xff" * 8
            all_pages[index] = bytearray(checked(page))
    return b"".join(bytes(page) for page in all_pages)


def refused():
    """What is named and refused."""
    ref, _ = reference(8000, 1)
    full, _ = reference(48000, 2)
    run("sox", path(ref), "-e", "gsm-full-rate", path("gsm.wav"))
    case("gsm.wav", "refused", "refused", notes="GSM 6.10")
    for name, words, word in [("g722.wav", ["-ar", "16000", "-c:a", "g722"], "G.722"), ("wma.wma", ["-c:a", "wmav2"], "Windows Media"),
                              ("ac3.mkv", ["-c:a", "ac3"], "AC-3"), ("x.wv", ["-c:a", "wavpack"], "WavPack"),
                              ("x.ac3", ["-c:a", "ac3"], "AC-3"), ("x.tta", ["-c:a", "tta"], "True Audio"),
                              ("dts.mka", ["-c:a", "dca", "-strict", "-2"], "DTS"), ("gsm.mov", ["-c:a", "libgsm", "-ar", "8000", "-ac", "1"], "GSM"),
                              ("gsm.caf", ["-c:a", "libgsm", "-ar", "8000", "-ac", "1"], "GSM"), ("g722.mkv", ["-c:a", "g722", "-ar", "16000", "-ac", "1"], "G.722"),
                              ("x.ts", ["-c:a", "aac", "-f", "mpegts"], "transport stream"), ("x.nut", ["-c:a", "pcm_s16le"], "NUT"), ("x.wtv", ["-c:a", "ac3"], "(WTV)"),
                              ("x.sox", [], "SoX")]:
        source = full if name != "g722.wav" else ref
        ffmpeg(source, name, *(words if name != "g722.wav" else ["-ar", "16000", "-ac", "1", "-c:a", "g722"]))
        case(name, "refused", "refused", notes=word)
    picture = ["-f", "lavfi", "-i", "color=size=32x32:rate=25:duration=1"]
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", "-i", path(full), *picture, "-c:a", "mp3", path("x.avi"))
    case("x.avi", "refused", "refused", notes="AVI")
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-i", path(full), *picture[:3], "color=size=720x576:rate=25:duration=1", "-ac", "1", path("x.gxf"))
    case("x.gxf", "refused", "refused", notes="GXF")
    # Without a header: the name or the frames tell the codec, and the command what ffmpeg cannot know.
    for name, source, words, word in [("a.gsm", ref, ["-c:a", "libgsm"], "ffmpeg -f gsm -i"), ("a.g722", full, ["-ar", "16000", "-ac", "1"], "ffmpeg -f g722 -i"),
                                      ("a.sln", ref, ["-f", "s16le"], "ffmpeg -f s16le -ar 8000 -ac 1 -i"), ("a.ul", ref, ["-f", "mulaw"], "ffmpeg -f mulaw -ar 8000"),
                                      ("a.sln24", full, ["-ar", "24000", "-ac", "1", "-f", "s16le"], "ffmpeg -f s16le -ar 24000 -ac 1 -i"),
                                      ("a.dfpwm", full, ["-ac", "1"], "ffmpeg -f dfpwm -ar 48000 -ac 1 -i"), ("a.aptx", full, [], "ffmpeg -f aptx -ar 48000 -i"),
                                      ("a.sbc", full, ["-b:a", "256k"], "ffmpeg -f sbc -i"), ("a.pcm", full, ["-f", "s16le"], "its own rate and channels")]:
        ffmpeg(source, name, *words)
        case(name, "refused", "refused", notes=word)
    run("sox", path(ref), path("a.vox"))
    case("a.vox", "refused", "refused", notes="sox -t vox -r 8000")
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", "-i", path(ref), "-c:a", "libgsm", "-f", "gsm", path("gsm_frames.bin"))
    case("gsm_frames.bin", "refused", "refused", notes="GSM 06.10")
    write("a.amr", b"".join(b"\x3c" + bytes(31) for _ in range(50)), "refused", "refused", notes="ffmpeg -f amrnb -i")
    write("a.ds2", b"\3ds2" + bytes(2000), "refused", "refused", notes="neither Tacet nor ffmpeg")
    write("text.mp3", b"This is a text and no sound.\n" * 200, "refused", "refused", notes="no audio")
    write("zeros.wav", bytes(5000), "refused", "refused", notes="no audio")
    write("picture.mp3", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "refused", "refused", notes="no audio")
    flush()


def more_mpeg():
    """Further MPEG streams: joined, tagged, of low rates, of many channels."""
    stereo, samples = reference(48000, 2)
    mono, _ = reference(48000, 1)
    cd, _ = reference(44100, 2)
    frames = len(samples) // 2
    for rate in [44100, 32000, 24000, 16000, 11025, 8000]:
        low, _ = reference(rate, 2)
        ffmpeg(low, f"no_xing{rate}.mp3", "-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0")
        case(f"no_xing{rate}.mp3", "mp3 no Xing", "late", low, 622 if rate < 22050 else 0, why=LONG if rate < 22050 else "the usual delay is removed")
    for name, source, more in [("plain_stereo", stereo, []), ("plain_mono", mono, []), ("tagged_stereo", stereo, [1]), ("tagged_cd", cd, [1]),
                               ("tagged_mono", mono, [1])]:
        words = ["-b:a", "96k"] if more else ["-b:a", "96k", "-write_xing", "0"]
        ffmpeg(source, name + ".mp3", "-c:a", "libmp3lame", *words)
        case(name + ".mp3", "mp3", "late" if not more else "aligned", source, why="" if more else "no Xing header")
    run("lame", "--quiet", "-p", "-b", "128", path(cd), path("crc.mp3"))
    case("crc.mp3", "mp3", "aligned", cd, 0)
    run("lame", "--quiet", "-t", "-V", "2", path(cd), path("lame_t.mp3"))
    case("lame_t.mp3", "mp3 no Xing", "late", cd, why="the usual delay is removed")
    for bits in [64, 192, 384]:
        ffmpeg(stereo, f"mp2_{bits}.mp2", "-c:a", "mp2", "-b:a", f"{bits}k")
        case(f"mp2_{bits}.mp2", "mp2", "late", stereo, why="the filter banks' delay is removed")
    ffmpeg(mono, "mp2.wav", "-c:a", "mp2", "-b:a", "64k")
    case("mp2.wav", "wav MP2", "late", mono, why="the filter banks' delay is removed")
    for channels in [6, 8]:
        many, _ = reference(48000, channels)
        words = ["-c:a", "aac", "-b:a", f"{48 * channels}k"]
        for kind, more in [("m4a", []), ("aac", []), ("mkv", []), ("latm", ["-f", "latm"])]:
            name = f"aac{channels}.{kind}"
            layout = ["-channel_layout", "5.1" if channels == 6 else "7.1"]
            run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *layout, "-i", path(many), *words, *more, path(name))
            late = kind != "m4a"
            why = {"m4a": "", "mkv": "this ffmpeg says nothing of the delay in Matroska"}.get(kind, "the first block is removed")
            case(name, f"{kind} AAC", "late" if late else "aligned", many, why=why)
    for name, words in {"dash.mp4": ["-movflags", "+dash", "-frag_duration", "400000"], "no_edits.mp4": ["-use_editlist", "0"]}.items():
        ffmpeg(stereo, name, "-c:a", "aac", *words)
        case(name, "mp4 AAC", "late", stereo, why="no edit list")
    for codec in ["pcm_s16be", "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_f32be", "pcm_f64be", "pcm_f64le", "pcm_u8"]:
        ffmpeg(stereo, f"{codec}.mov", "-c:a", codec)
        case(f"{codec}.mov", "mov PCM", "equal", stereo, tolerance_of(codec))
    # What symphonia refuses: of many channels, of 8 bits, companded; `lpcm` is what ffmpeg writes above 65,535 Hz.
    for channels, codecs in [(1, ["pcm_s8", "pcm_alaw", "pcm_mulaw"]), (2, ["pcm_s8"]), (6, ["pcm_s16le", "pcm_s16be", "pcm_f32le"]),
                             (8, ["pcm_s24le", "pcm_s32be", "pcm_f64be"])]:
        many, _ = reference(48000, channels)
        for codec in codecs:
            name = f"{codec}x{channels}.mov"
            ffmpeg(many, name, "-c:a", codec)
            case(name, "mov PCM", "equal", many, tolerance_of(codec))
    fine, _ = reference(96000, 6)
    for codec in ["pcm_s16le", "pcm_s24be", "pcm_f32le", "pcm_f64be", "pcm_s8"]:
        ffmpeg(fine, f"lpcm_{codec}.mov", "-c:a", codec)
        case(f"lpcm_{codec}.mov", "mov PCM", "equal", fine, tolerance_of(codec))
    flush()
    six, _ = reference(48000, 6)
    picture = ["-f", "lavfi", "-i", "color=size=32x32:rate=25:duration=2"]
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", "-i", path(six), *picture, "-c:a", "pcm_s24le", path("video6.mov"))
    case("video6.mov", "mov video", "equal", six, tolerance_of("pcm_s24le"))
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *picture, "-itsoffset", "0.5", "-i", path(six),
        "-c:a", "pcm_s16le", path("late6.mov"))
    case("late6.mov", "mov edits", "length", "-", -(len(samples) // 2 + 24000), why="silence before the sound")
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", "-i", path(six), "-c:a", "pcm_s16le", "-movflags", "+faststart",
        path("fast6.mov"))
    flush()
    fast = read("fast6.mov")
    write("cut6.mov", fast[: len(fast) * 2 // 3], "mp4 damage", "part", "-", 0, "cut off")
    parts = {name: read(name + ".mp3") for name in ["plain_stereo", "plain_mono", "tagged_stereo", "tagged_cd", "tagged_mono"]}
    cd_frames = len(signals[(44100, 2)][1]) // 2
    for name, joined, notes in [
        ("stereo_mono", ["tagged_stereo", "tagged_mono"], "channels changes"),
        ("mono_stereo_mono", ["tagged_mono", "tagged_stereo", "tagged_mono"], "channels changes"),
        ("plain_both", ["plain_stereo", "plain_stereo"], "quiet"),
        ("plain_mono_stereo", ["plain_mono", "plain_stereo"], "channels changes"),
        ("plain_stereo_mono", ["plain_stereo", "plain_mono"], "channels changes"),
        ("tagged_plain", ["tagged_mono", "plain_mono"], "quiet"),
        ("plain_tagged", ["plain_mono", "tagged_mono"], "quiet"),
        ("rate_stereo", ["tagged_stereo", "tagged_cd"], "rate changes"),
    ]:
        # Padding at the end, up to a frame, is not known where no header says it.
        lengths = {"tagged_cd": math.ceil(cd_frames * 48000 / 44100), "plain_mono": 54 * 1152 - 1105, "plain_stereo": 54 * 1152 - 1105}
        total = sum(lengths.get(part, frames) for part in joined)
        content = b"".join(parts[part] for part in joined)
        write(f"joined_{name}.mp3", content, "mp3 joined", "length", "-", -total, notes, why="each part by its own delay")
    whole = parts["tagged_stereo"]
    head = 10 + sum((byte & 127) << shift for byte, shift in zip(whole[6:10], (21, 14, 7, 0))) if whole[:3] == b"ID3" else 0
    whole = whole[head:]
    item = struct.pack("<II", 6, 0) + b"Title\0abcdef"
    tag = lambda flags: b"APETAGEX" + struct.pack("<IIIIQ", 2000, len(item) + 32, 1, flags, 0)
    picture = b"APIC" + struct.pack(">I", 40014) + b"\0\0" + b"\0image/jpeg\0\3\0" + b"\xff\xfb\x90\x64" * 10000
    size = bytes(len(picture) >> shift & 127 for shift in (21, 14, 7, 0))
    id3 = b"ID3\3\0\0\0\0\1\0" + bytes(128)
    for name, content in {
        "ape_both": whole + tag(0xA0000000) + item + tag(0x80000000), "ape_first": tag(0xA0000000) + item + tag(0x80000000) + whole,
        "id3_twice": id3 + id3 + whole, "picture": b"ID3\3\0\0" + size + picture + whole,
        "lyrics": whole + b"LYRICSBEGIN" + b"LYR00011hello world" + b"000030" + b"LYRICS200" + b"TAG" + bytes(125),
    }.items():
        write(f"tag_{name}.mp3", content, "mp3 tags", "aligned", stereo, 0)
    plain = parts["plain_stereo"]
    plain = plain[45:] if plain[:3] == b"ID3" else plain
    vbri = plain[:4] + bytes(32) + b"VBRI" + struct.pack(">HHHII", 1, 576, 75, len(plain), 20) + bytes(300)
    write("vbri_stale.mp3", vbri[: 288] + plain, "mp3 Xing", "late", stereo, why="frames are counted")


def more_xiph():
    """Further Ogg, Matroska and FLAC: channels, streams from pipes, joined files, headers that are wrong."""
    stereo, samples = reference(48000, 2)
    frames = len(samples) // 2
    for channels in [3, 4, 5, 7, 8]:
        many, _ = reference(48000, channels)
        for kind in ["ogg", "mkv"]:
            ffmpeg(many, f"vorbis{channels}.{kind}", "-c:a", "libvorbis")
            late = kind == "mkv"
            case(f"vorbis{channels}.{kind}", f"{kind} Vorbis", "aligned", many, 2048 if late else 0, why="whole packets" if late else "")
    for channels in [1, 2, 6, 8]:
        many, _ = reference(48000, channels)
        ffmpeg(many, f"opus_alone{channels}.opus", "-c:a", "libopus", "-mapping_family", "255", "-b:a", f"{64 * channels}k")
        case(f"opus_alone{channels}.opus", "ogg Opus", "aligned", many, 0)
        ffmpeg(many, f"opus{channels}.webm", "-c:a", "libopus", "-mapping_family", "1" if channels > 2 else "0", "-b:a", f"{64 * channels}k")
        case(f"opus{channels}.webm", "webm Opus", "aligned", many, 0)
    for channels in [6, 8]:
        many, _ = reference(48000, channels)
        for kind in ["flac", "mkv"]:
            ffmpeg(many, f"flac{channels}.{kind}", "-c:a", "flac", "-sample_fmt", "s32")
            case(f"flac{channels}.{kind}", f"{kind} FLAC", "equal", many, 1.01 / 2**23)
    surround, _ = reference(48000, 6)
    for kind in ["m4a", "caf"]:
        ffmpeg(surround, f"alac6.{kind}", "-c:a", "alac", "-sample_fmt", "s32p")
        case(f"alac6.{kind}", f"{kind} ALAC", "equal", surround, 1.01 / 2**23)
    for name, words in {"pipe.mkv": ["-c:a", "libopus", "-f", "matroska"], "pipe.webm": ["-c:a", "libopus", "-f", "webm"],
                        "pipe_pcm.mkv": ["-c:a", "pcm_s24le", "-f", "matroska"], "pipe.flac": ["-c:a", "flac", "-sample_fmt", "s32", "-f", "flac"],
                        "pipe.ogg": ["-c:a", "libvorbis", "-f", "ogg"], "pipe.au": ["-c:a", "pcm_s24be", "-f", "au"],
                        "pipe.w64": ["-c:a", "pcm_s24le", "-f", "w64"]}.items():
        with open(path(name), "wb") as file:
            command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-i", path(stereo), *words, "-"]
            subprocess.run(command, check=True, stdout=file)
        lossless = name in ("pipe_pcm.mkv", "pipe.flac", "pipe.au", "pipe.w64")
        case(name, "from a pipe", "equal" if lossless else "aligned", stereo, 1.01 / 2**23 if lossless else 0)
    flush()
    opus, vorbis, flac = read("opus96kx2.opus"), read("vorbis2.ogg"), read("flac24.flac")
    edited = {"gain": lambda page, head: struct.pack_into("<h", page, head + 16, -1536), "preskip": lambda page, head: struct.pack_into("<H", page, head + 10, 2000)}
    for name, edit in edited.items():
        first, *rest = list(pages(opus))
        edit(first, 27 + first[26])
        content = checked(first) + b"".join(bytes(page) for page in rest)
        length = frames if name == "gain" else frames + 312 - 2000
        write(f"opus_{name}.opus", content, "ogg Opus", "length", "-", length)
    for name, content in {"opus": opus, "vorbis": vorbis}.items():
        late = [bytearray(page) for page in pages(content)]
        for page in late[2 if name == "opus" else 3 :]:
            position = struct.unpack_from("<q", page, 6)[0]
            struct.pack_into("<q", page, 6, position + 48_000_000 if position >= 0 else position)
        content = b"".join(checked(page) for page in late)
        write(f"{name}_live.{'opus' if name == 'opus' else 'ogg'}", content, f"ogg {name.capitalize()}", "aligned", stereo, 2048,
              why="" if name == "opus" else "one page, which does not say where it begins")
    nowhere = [bytearray(page) for page in pages(opus)]
    for page in nowhere[2:]:
        page[6:14] = b"\xff" * 8
    content = b"".join(checked(page) for page in nowhere)
    write("opus_nowhere.opus", content, "ogg Opus", "aligned", stereo, 960, why="no page says where it is")
    write("two_codecs.ogg", opus + vorbis, "ogg Opus", "length", "-", 2 * frames, why="ffmpeg reads the first")
    one = 1.01 / 2**23
    total = int.from_bytes(flac[21:26], "big")
    half, triple = bytearray(flac), bytearray(flac)
    half[21:26] = (total & ~0xFFFFFFFFF | (total & 0xFFFFFFFFF) // 2).to_bytes(5, "big")
    triple[21:26] = (total & ~0xFFFFFFFFF | (total & 0xFFFFFFFFF) * 3).to_bytes(5, "big")
    md5 = bytearray(flac)
    md5[26:42] = b"\x55" * 16
    write("half_total.flac", bytes(half), "flac headers", "equal", stereo, one)
    write("triple_total.flac", bytes(triple), "flac headers", "equal", stereo, one, "cut off")
    write("wrong_md5.flac", bytes(md5), "flac headers", "equal", stereo, one)
    tag = b"TAG" + b"Title".ljust(125, b" ")
    id3 = b"ID3\3\0\0\0\0\1\0" + bytes(128)
    write("id3v1.flac", flac + tag, "flac headers", "equal", stereo, one)
    write("zeros_behind.flac", flac + bytes(3000), "flac headers", "equal", stereo, one)
    write("joined.flac", flac + flac, "flac joined", "length", "-", 2 * frames, why="ffmpeg loses frames at the joint")
    write("joined_tags.flac", id3 + flac + tag + id3 + flac, "flac joined", "length", "-", 2 * frames, why="ffmpeg loses frames at the joint")


def kinds():
    """What turned up later: holes, pieces, and headers in odd places."""
    stereo, samples = reference(48000, 2)
    frames = len(samples) // 2
    one = 1.01 / 2**23
    bare, data = fmt(1, 2, 48000, 24), pcm(samples, 24)
    described = chunk(b"fmt ", bare)
    cut = len(data) // 12 * 6
    pieces = chunk(b"data", data[:cut]) + chunk(b"data", data[cut:])
    whole = lambda body: b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body
    write("data_first.wav", whole(chunk(b"data", data) + described), "wav headers", "equal", stereo, one)
    write("data_twice.wav", whole(described + pieces), "wav headers", "equal", stereo, one, "2 runs")
    write("wavl.wav", whole(described + chunk(b"LIST", b"wavl" + pieces)), "wav headers", "equal", stereo, one, "2 runs")
    write("id3_front.wav", b"ID3\3\0\0\0\0\1\0" + bytes(128) + riff(bare, data), "wav headers", "equal", stereo, one)
    silent, quiet = chunk(b"slnt", struct.pack("<I", 4800)), array.array("d", bytes(8 * 9600))
    name, _ = reference_of(stereo, samples[: cut // 3], quiet, samples[cut // 3 :], quiet)
    pieces = chunk(b"data", data[:cut]) + silent + chunk(b"data", data[cut:]) + silent
    write("slnt.wav", whole(described + chunk(b"LIST", b"wavl" + pieces)), "wav headers", "equal", name, one, "2 runs",
          why="ffmpeg reads the first run, and no silence")
    size = struct.pack("<I", 28) + struct.pack("<QQQ", 1 << 62, 1 << 61, 1 << 60) + bytes(4)
    absurd = b"RF64" + b"\xff" * 4 + b"WAVEds64" + size + described + b"data" + b"\xff" * 4 + data
    write("absurd_ds64.wav", absurd, "wav headers", "equal", stereo, one, "no recording has")
    for name, words in {"opus_fragments.mp4": ["-c:a", "libopus", "-strict", "-2"], "flac_fragments.mp4": ["-c:a", "flac", "-strict", "-2"]}.items():
        ffmpeg(stereo, name, *words, "-movflags", "frag_keyframe+empty_moov", "-frag_duration", "300000")
        case(name, "mp4 fragments", "aligned" if "opus" in name else "length", stereo if "opus" in name else "-", 960 if "opus" in name else frames,
             why="the last packet's end is not stated")
    for codec in ["pcm_s16le", "pcm_s24be", "pcm_f32le", "pcm_s8"]:
        for kind, flags in [("", "empty_moov"), ("moof_", "empty_moov+default_base_moof"), ("delay_", "delay_moov")]:
            name = f"fragments_{kind}{codec}.mov"
            ffmpeg(stereo, name, "-c:a", codec, "-movflags", "frag_keyframe+" + flags, "-frag_duration", "300000")
            case(name, "mov PCM", "equal", stereo, tolerance_of(codec))
    mono, _ = reference(48000, 1)
    low, _ = reference(16000, 1)
    for channels in [1, 2, 6]:
        many, _ = reference(48000, channels)
        ffmpeg(many, f"vorbis{channels}.mp4", "-c:a", "libvorbis")
        case(f"vorbis{channels}.mp4", "mp4 Vorbis", "aligned", many)
    for kind in ["mov", "mp4", "mkv"]:
        ffmpeg(stereo, f"mp2.{kind}", "-c:a", "mp2", "-b:a", "192k")
        case(f"mp2.{kind}", f"{kind} MP2", "late", stereo, why="says nothing of its delay")
    ffmpeg(stereo, "mp2_56.mp2", "-c:a", "mp2", "-b:a", "56k")
    case("mp2_56.mp2", "mp2", "late", stereo, why="says nothing of its delay")
    ffmpeg(mono, "wide_mono.mp2", "-c:a", "mp2", "-b:a", "384k")
    case("wide_mono.mp2", "refused", "refused", notes="for two")
    ffmpeg(stereo, "shine.mp3", "-c:a", "libshine", "-write_xing", "0")
    case("shine.mp3", "mp3 no Xing", "length", "-", -frames, why="an encoder without a delay of its own")
    ffmpeg(low, "no_edits16000.m4a", "-c:a", "aac", "-b:a", "32k", "-use_editlist", "0")
    case("no_edits16000.m4a", "mp4 AAC", "late", low, 1024, why=LONG)
    ffmpeg(stereo, "opus.caf", "-c:a", "libopus")
    case("opus.caf", "caf Opus", "late", stereo, why="ffmpeg keeps the usual delay, which no word says")
    ffmpeg(stereo, "vbr_hole.mp3", "-c:a", "libmp3lame", "-q:a", "4")
    ffmpeg(stereo, "cbr_hole.mp3", "-c:a", "libmp3lame", "-b:a", "128k")
    ffmpeg(stereo, "x.dts", "-c:a", "dca", "-strict", "-2")
    case("x.dts", "refused", "refused", notes="DTS")
    ffmpeg(stereo, "x.mpg", "-c:a", "mp2")
    case("x.mpg", "refused", "refused", notes="program stream")
    flush()
    for kind in ["vbr", "cbr"]:
        mp3 = read(f"{kind}_hole.mp3")
        at = len(mp3) * 6 // 10
        write(f"{kind}_zeros.mp3", mp3[:at] + bytes(2500) + mp3[at + 2500:], "mp3 damage", "aligned", stereo, 0, "became silence")
        write(f"{kind}_lost.mp3", mp3[:at] + mp3[at + 2500:], "mp3 damage", "aligned", stereo, 0, "became silence")
    write("rubbish_behind.mp4", read("aac.mp4") + bytes(range(7, 250)) * 9, "mp4 damage", "aligned", stereo)
    for name, length in [("aac48000x1.aac", 0), ("mp2_192.mp2", 0)]:
        content = read(name)
        write("cut_" + name, content[: len(content) * 2 // 3], "mpeg damage", "part", "-", 0, "cut off there")
    write("longer_adpcm.wav", read("sox_ms-adpcm.wav") + bytes(4096), "wav headers", "part", notes="all of it was read")
    fragments = read("flac_fragments.mp4")
    ffmpeg(stereo, "cut_source.webm", "-c:a", "libopus")
    ffmpeg(stereo, "cut_source.wav", "-c:a", "libmp3lame")
    flush()
    for name, group in {"cut_source.webm": "mkv damage", "cut_source.wav": "wav damage"}.items():
        content = read(name)
        write("half_" + name, content[: len(content) // 2], group, "part", "-", 0, "cut off")
    write("cut_fragments.mp4", fragments[: len(fragments) * 2 // 3], "mp4 damage", "part", "-", 0, "cut off")
    opus = read("opus96kx2.opus")
    first = list(pages(opus))[2]
    at = opus.find(bytes(first)) + len(first) - 700
    write("first_page.opus", opus[:at] + bytes(650) + opus[at + 650:], "ogg damage", "length", "-", frames, "")


def element(name, content):
    """An EBML element, its length in eight bytes."""
    return bytes.fromhex(name) + (1 << 56 | len(content)).to_bytes(8, "big") + content


def matroska(codec, rate, channels, bits, packets, packing=b"", per_cluster=8):
    """A Matroska file of one track: (time in ms, bytes) each, so many in a cluster."""
    number = lambda name, value: element(name, value.to_bytes((value.bit_length() + 7) // 8 or 1, "big"))
    audio = element("b5", struct.pack(">d", rate)) + number("9f", channels) + (number("6264", bits) if bits else b"")
    entry = number("d7", 1) + number("73c5", 1) + number("83", 2) + element("86", codec) + packing + element("e1", audio)
    head = element("1a45dfa3", element("4282", b"matroska") + number("4287", 4) + number("4285", 2))
    info = number("2ad7b1", 1000000) + element("4d80", b"by hand") + element("5741", b"by hand")
    body = element("1549a966", info) + element("1654ae6b", element("ae", entry))
    for at in range(0, len(packets), per_cluster):
        part = packets[at : at + per_cluster]
        blocks = [element("a3", b"\x81" + struct.pack(">h", ms - part[0][0]) + b"\x80" + packet) for ms, packet in part]
        body += element("1f43b675", number("e7", part[0][0]) + b"".join(blocks))
    return head + element("18538067", body)


def caf_chunk(name, content):
    return name + struct.pack(">q", len(content)) + content


def rubbish():
    """Kinds that once lost sound, came late, or claimed what was not so."""
    stereo, samples = reference(48000, 2)
    mono, low = reference(44100, 1)
    frames, one, bits16 = len(samples) // 2, 1.01 / 2**23, 1.01 / 32768
    run("flac", "--silent", "--force", "--blocksize", 1152, "-o", path("short_blocks.flac"), path(stereo))
    case("short_blocks.flac", "flac FLAC", "equal", stereo, one)
    for channels, name in [(1, mono), (2, stereo)]:
        ffmpeg(name, f"ima4x{channels}.caf", "-c:a", "adpcm_ima_qt")
        case(f"ima4x{channels}.caf", "caf ADPCM", "aligned", name, 63, why="whole packets")
    ffmpeg(stereo, "packets.aac", "-c:a", "aac", "-b:a", "96k")
    ffmpeg(stereo, "info.mp3", "-c:a", "libmp3lame", "-b:a", "96k", "-id3v2_version", "0")
    flush()
    flac, short = read("flac24.flac"), read("short_blocks.flac")
    tag = b"TAG" + b"Title".ljust(125, b" ")
    behind = {"text": b"written by hand\n" * 9, "mp3": read("lame48000x2.mp3"), "wav": read(stereo)[:9000], "ones": b"\xff" * 999,
              "id3v2": b"ID3\3\0\0\0\0\0\x0a" + bytes(10)}
    for name, content in behind.items():
        write(f"behind_{name}.flac", flac + content, "flac tags", "equal", stereo, one, "no sound")
    mark = short[short.find(b"\xff\xf8", 8000 + len(short) // 2) :][:2]
    starts = [at for at in range(len(short) * 2 // 5, len(short)) if short[at : at + 3] == b"\xff\xf8\x3c" or short[at : at + 3] == b"\xff\xf8\x2c"]
    at = next((at for at in starts if short[at : at + 2] == mark), len(short) // 2)
    write("tag_between.flac", short[:at] + tag + short[at:], "flac damage", "length", "-", frames, "")
    damaged = bytearray(short)
    damaged[len(short) // 2] ^= 8
    write("short_hole.flac", bytes(damaged), "flac damage", "length", "-", frames, "became silence")
    nowhere = bytearray(short[: len(short) * 2 // 3])
    nowhere[21] &= 0xF0
    nowhere[22:26] = bytes(4)
    write("cut_unknown.flac", bytes(nowhere), "flac damage", "part", "-", 0, "last frame is cut off")
    # CAF: what its table says of both ends; ADPCM of QuickTime, in AIFF-C too.
    adts, packets, at = read("packets.aac"), [], 0
    while at < len(adts):
        size = (adts[at + 3] & 3) << 11 | adts[at + 4] << 3 | adts[at + 5] >> 5
        packets.append(adts[at + 7 : at + size])
        at += size
    config = b"\x05\x02\x11\x90"
    decoder = b"\x04" + bytes([13 + len(config)]) + b"\x40\x15" + bytes(11) + config
    cookie = b"\x03" + bytes([6 + len(decoder)]) + bytes(3) + decoder + b"\x06\x01\x02"
    lengths = b"".join(bytes([len(packet) >> 7 | 128, len(packet) & 127]) for packet in packets)
    table = struct.pack(">qqii", len(packets), frames, 1024, len(packets) * 1024 - 1024 - frames) + lengths
    desc = struct.pack(">d4sIIIII", 48000.0, b"aac ", 2, 0, 1024, 2, 0)
    content = b"caff\0\1\0\0" + caf_chunk(b"desc", desc) + caf_chunk(b"kuki", cookie) + caf_chunk(b"pakt", table)
    write("primed_aac.caf", content + caf_chunk(b"data", bytes(4) + b"".join(packets)), "caf AAC", "aligned", stereo)
    opus = bytearray(read("opus.caf"))
    at = opus.find(b"pakt") + 12
    n_packets = struct.unpack_from(">q", opus, at)[0]
    struct.pack_into(">qii", opus, at + 8, frames, 312, n_packets * 960 - 312 - frames)
    write("primed_opus.caf", bytes(opus), "caf Opus", "aligned", stereo, why="ffmpeg does not apply the table")
    ima4 = read("ima4x1.caf")
    at = ima4.find(b"data") + 16
    packed = ima4[at : at + len(ima4) // 34 * 34 - at % 34]
    packed = packed[: (len(low) + 63) // 64 * 34]
    common = struct.pack(">hIh", 1, len(packed) // 34, 16) + struct.pack(">HQ", 0x3FFF + 15, 44100 << 48) + b"ima4\0\0"
    body = b"AIFC" + b"COMM" + struct.pack(">I", len(common)) + common + b"SSND" + struct.pack(">III", len(packed) + 8, 0, 0) + packed
    write("ima4.aifc", b"FORM" + struct.pack(">I", len(body)) + body, "aiff ADPCM", "aligned", mono, 63, why="whole packets")
    for name, code, size in [("23ni", 32, 4), ("42ni", 24, 3)]:
        common = struct.pack(">hIh", 1, len(low), code) + struct.pack(">HQ", 0x3FFF + 15, 44100 << 48) + name.encode() + b"\0\0"
        data = pcm(low, 24, size)
        body = b"AIFC" + b"COMM" + struct.pack(">I", len(common)) + common + b"SSND" + struct.pack(">III", len(data) + 8, 0, 0) + data
        write(f"{name}.aifc", b"FORM" + struct.pack(">I", len(body)) + body, "aiff PCM", "equal", mono, one, why="ffmpeg refuses it")
    # WAV.
    plain, data = fmt(1, 1, 44100, 16), pcm(low, 16)
    whole = riff(plain, data)
    write("riff_twice.wav", whole + whole, "wav headers", "length", "-", 2 * len(low), "2 runs", why="ffmpeg reads the first")
    write("riff_other.wav", whole + riff(fmt(1, 2, 44100, 16), data), "wav headers", "equal", mono, bits16, "another recording")
    for size in [0xFFFFF000, 0xFFFF0000, len(data) + 8]:
        write(f"size_{size:x}.wav", riff(plain, data, size=size, data_size=size), "wav headers", "equal", mono, bits16)
    write("float16.wav", riff(fmt(3, 1, 44100, 16), data), "refused", "refused", notes="floating point of 16 bits")
    mp3 = bytearray(read("mp3.wav"))
    at = mp3.find(b"data") + 4
    struct.pack_into("<I", mp3, at, (len(mp3) - at) // 2)
    write("half_mp3.wav", bytes(mp3), "wav MP3", "late", stereo, why="its header states half")
    # Matroska: packed packets, an encoder's header among them, damage.
    bits = pcm(samples, 24)
    pieces = [bits[at : at + 6 * 960] for at in range(0, len(bits), 6 * 960)]
    packing = lambda more: element("6d80", element("6240", element("5034", more)))
    packed = [(20 * index, zlib.compress(piece)) for index, piece in enumerate(pieces)]
    write("zlib.mkv", matroska(b"A_PCM/INT/LIT", 48000, 2, 24, packed, packing(b"")), "mkv PCM", "equal", stereo, one)
    bzip = packing(element("4254", b"\1"))
    write("bzip.mkv", matroska(b"A_PCM/INT/LIT", 48000, 2, 24, packed, bzip), "refused", "refused", notes="bzip2")
    mp3, at, mpeg = read("info.mp3"), 0, []
    while at + 4 < len(mp3):
        size = 144 * 96000 // 48000 + (mp3[at + 2] >> 1 & 1)
        mpeg.append((24 * len(mpeg), mp3[at : at + size]))
        at += size
    write("info_mp3.mkv", matroska(b"A_MPEG/L3", 48000, 2, 0, mpeg), "mkv MP3", "aligned", stereo, why="ffmpeg plays the encoder's header")
    stripped = [(ms, packet[2:]) for ms, packet in mpeg]
    shared = packing(element("4254", b"\3") + element("4255", mpeg[0][1][:2]))
    write("stripped.mkv", matroska(b"A_MPEG/L3", 48000, 2, 0, stripped, shared), "mkv MP3", "aligned", stereo, why="ffmpeg plays the encoder's header")
    clusters = bytearray(matroska(b"A_PCM/INT/LIT", 48000, 2, 24, [(20 * index, piece) for index, piece in enumerate(pieces)]))
    at = clusters.find(bytes.fromhex("1f43b675"), len(clusters) // 2) + 8000
    clusters[at : at + 7000] = bytes(7000)
    write("damaged_cluster.mkv", bytes(clusters), "mkv damage", "length", "-", frames, "became silence")
    # FLAC that is damaged within other containers, Ogg.
    for name in ["flac16.mkv", "flac16.oga"]:
        content = bytearray(read(name))
        content[len(content) // 2] ^= 4
        write("flipped_" + name, bytes(content), "flac damage", "length", "-", frames, "became silence", why="ffmpeg plays damaged frames")
    vorbis = read("vorbis2.ogg")
    write("front.ogg", b"rubbish" * 30 + vorbis, "ogg Vorbis", "aligned", stereo, 0, "no sound")
    oggs = [bytes(page) for page in pages(read("opus96kx2.opus"))]
    write("page_twice.opus", b"".join(oggs[:3] + oggs[2:]), "ogg Opus", "aligned", stereo, why="ffmpeg plays it twice")
    content = bytearray(b"".join(oggs))
    content[len(content) // 2] ^= 64
    write("flipped.opus", bytes(content), "ogg damage", "length", "-", frames, "damaged pages")
    # MP4.
    mp4 = read("aac.mp4")
    write("text_behind.mp4", mp4 + b"hello there" * 50, "mp4 damage", "aligned", stereo)
    write("joined.mp4", mp4 + mp4, "mp4 damage", "aligned", stereo, 0, "another MP4")


def recorders():
    """Takes of recorders and programs that could not go back to the header, Ogg that lost pages, QuickTime without a type."""
    mono, low = reference(44100, 1)
    stereo, samples = reference(48000, 2)
    frames = len(samples) // 2
    bits16 = 1.01 / 32768
    plain, data = fmt(1, 1, 44100, 16), pcm(low, 16)
    name = chunk(b"LIST", b"INFOISFT\x0e\0\0\0Lavf58.29.100\0")
    field = chunk(b"bext", b"take".ljust(602, b"\0")) + chunk(b"iXML", b"<BWFXML/>" * 800)
    for tail, behind in [("list", name), ("field", field + name), ("odd", chunk(b"iXML", b"<BWF/>1", pad=False))]:
        for size, notes in [(0xFFFFFFFF, "quiet"), (0x7FFFF000, "quiet"), (0, "states no length")]:
            content = riff(plain, data, size=size, data_size=size, behind=behind)
            write(f"open_{size:x}_{tail}.wav", content, "wav headers", "equal", mono, bits16, notes,
                  why="ffmpeg plays the chunks behind")
    whole = len(riff(plain, data, behind=field))
    for size in [whole, whole - 8, whole - 44]:
        content = riff(plain, data, data_size=size, behind=field)
        write(f"size_all_{whole - size}.wav", content, "wav headers", "equal", mono, bits16, why="ffmpeg plays the chunks behind")
    ds64 = chunk(b"ds64", bytes(28))
    never = riff(plain, data, 0xFFFFFFFF, 0xFFFFFFFF, before=ds64 + field[:610], behind=field, magic=b"RF64")
    write("never_written_tail.rf64.wav", never, "wav headers", "equal", mono, bits16, why="ffmpeg plays the chunks behind")
    crashed = riff(plain, data, 0, 0, before=chunk(b"JUNK", bytes(28)) + field)
    write("crashed_field.wav", crashed, "wav headers", "equal", mono, bits16, "states no length")
    for codec, words in {"opus": ["-c:a", "libopus"], "ogg": ["-c:a", "libvorbis"], "oga": ["-c:a", "flac", "-f", "ogg"]}.items():
        ffmpeg(stereo, f"short_pages.{codec}", *words, "-page_duration", "200000")
    ffmpeg(stereo, "typed.mov", "-c:a", "aac")
    ffmpeg(stereo, "typed_fast.mov", "-c:a", "alac", "-movflags", "+faststart")
    flush()
    for codec in ["opus", "ogg", "oga"]:
        oggs = [bytes(page) for page in pages(read(f"short_pages.{codec}"))]
        write(f"no_first_page.{codec}", b"".join(oggs[:2] + oggs[3:]), "ogg damage", "part", notes="first pages of sound are missing")
        write(f"no_last_page.{codec}", b"".join(oggs[:-1]), "ogg damage", "part", notes="has no last page")
    # Packets that a recorder dropped: the times of those behind them go on.
    dropped = ["-c", "copy", "-bsf:a", "noise=drop=between(n\\,20\\,39)"]
    for name, source, words in [("hole.mp4", "aac.mp4", []), ("hole_opus.mp4", "opus.mkv", ["-strict", "-2"]), ("hole.m4a", "typed_fast.mov", ["-bsf:a", "noise=drop=between(n\\,4\\,6)"]),
                                ("hole_fragments.mp4", "aac.mp4", ["-movflags", "frag_keyframe+empty_moov", "-frag_duration", "300000"])]:
        ffmpeg(source, name, *dropped, *words)
        case(name, "mp4 damage", "length", "-", -frames, "became silence")
    flush()
    for source in ["typed.mov", "typed_fast.mov"]:
        content = read(source)
        length = struct.unpack(">I", content[:4])[0]
        for kind in [b"free", b"skip", b"wide"]:
            more = (1.01 / 2**15,) if "fast" in source else ()
            write(f"{kind.decode()}_{source}", struct.pack(">I", length) + kind + content[8:], "mov without a type",
                  "equal" if more else "aligned", stereo, *more)


def patched(data, kind, edit, start=0, end=None, within=(b"moof", b"traf")):
    """An MP4 whose boxes of a kind are edited: `edit` is given the bytes, a box's start and end, and the track it is for."""
    data, track = bytearray(data), 0
    def walk(start, end):
        nonlocal track
        for name, at, behind in list(boxes(data, start, end)):
            if name == b"tfhd":
                track = struct.unpack_from(">I", data, at + 12)[0]
            if name == kind:
                edit(data, at, behind, track)
            if name in within:
                walk(at + 8, behind)
    walk(start, end or len(data))
    return bytes(data)


def later(data, shifts):
    """A fragmented MP4 whose tracks' times are shifted by so many units."""
    def edit(data, at, _end, track):
        wide = data[at + 8]
        time = struct.unpack_from(">Q" if wide else ">I", data, at + 12)[0] + shifts.get(track, 0)
        struct.pack_into(">Q" if wide else ">I", data, at + 12, time)
    return patched(data, b"tfdt", edit)


def timed():
    """MP4 in fragments: when its tracks begin, holes between fragments, lengths that were never written; tables in odd orders."""
    stereo, samples = reference(48000, 2)
    frames = len(samples) // 2
    picture = ["-f", "lavfi", "-i", "color=size=32x32:rate=25:duration=2"]
    flags = ["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "200000"]
    for name, words in {"pieces_video.mp4": ["-c:a", "aac", "-c:v", "mpeg4", "-g", "5", "-video_track_timescale", "12800"],
                        "pieces_video.mov": ["-c:a", "pcm_s16le", "-c:v", "mpeg4", "-g", "5", "-video_track_timescale", "12800"]}.items():
        run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *picture, "-i", path(stereo), "-map", "0:v", "-map", "1:a", *words, *flags, path(name))
    ffmpeg(stereo, "pieces.m4a", "-c:a", "aac", *flags)
    for codec, words in {"opus": ["-c:a", "libopus"], "flac": ["-c:a", "flac", "-sample_fmt", "s16", "-strict", "-2"], "alac": ["-c:a", "alac", "-sample_fmt", "s16p"]}.items():
        run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *picture, "-i", path(stereo), "-map", "0:v", "-map", "1:a", "-c:v", "mpeg4", *words,
            path(f"video_{codec}.mp4"))
    run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *picture, "-itsoffset", "0.5", "-i", path(stereo), "-map", "0:v", "-map", "1:a",
        "-c:a", "aac", "-c:v", "mpeg4", *flags, path("stretched.mp4"))
    case("stretched.mp4", "mp4 in time", "length", "-", -(frames + 24000), why="ffmpeg's decoder tells nothing of the start")
    # The first fragment in the index.
    for name, offset, codec, expect in [("hybrid.mov", "0", "pcm_s24le", "equal"), ("hybrid_late.mp4", "0.5", "aac", "length")]:
        run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *picture, "-itsoffset", offset, "-i", path(stereo), "-map", "0:v", "-map", "1:a",
            "-c:a", codec, "-c:v", "mpeg4", "-movflags", "frag_keyframe", "-frag_duration", "500000", path(name))
        case(name, "mp4 in time", expect, stereo if expect == "equal" else "-", 1.01 / 2**23 if expect == "equal" else -(frames + 24000),
             why="ffmpeg's decoder tells nothing of the start")
    ffmpeg(stereo, "pieces.mov", "-c:a", "pcm_s24le", *flags)
    flush()
    day, late = 86400, 24000
    for source in ["pieces_video.mp4", "pieces_video.mov"]:
        content = read(source)
        stem, kind = source.split(".")
        for name, shifts, lead in [("late", (0, late), late), ("early", (6400, 0), 0), ("day", (12800 * day, 48000 * day + late), late)]:
            write(f"{name}_{stem}.{kind}", later(content, {1: shifts[0], 2: shifts[1]}), "mp4 in time", "length", "-", -(frames + lead),
                  why="by the times of fragments, of which ffmpeg's decoder tells nothing")
    whole = read("pieces.m4a")
    write("day.m4a", later(whole, {1: 48000 * day}), "mp4 in time", "length", "-", -frames, why="the fragments of a stream that has run for a day")
    moofs = [(start, end) for name, start, end in boxes(whole, 0, len(whole)) if name == b"moof"]
    write("segment.m4s", whole[moofs[1][0] :], "refused", "refused", notes="init.mp4")
    lost = whole[: moofs[2][0]] + whole[moofs[3][0] :]
    write("lost_fragment.m4a", lost, "mp4 in time", "length", "-", -frames, "became silence")
    # Its index lost a piece; bytes of the samples are lost; a restart of the encoder; text behind it.
    for name, content, notes in [
        ("headless", whole[: moofs[2][0]] + bytes(40) + whole[moofs[2][0] + 40 :], "became silence"),
        ("shorter", whole[: moofs[3][0] - 300] + whole[moofs[3][0] :], "is damaged"), ("tagged", whole + b"text " * 9, "no sound"),
    ]:
        write(f"{name}_fragment.m4a", content, "mp4 damage", "length", "-", -frames, notes)
    # Fragments out of their order; fragments whose samples alone are lost.
    for source, expect in [("pieces.m4a", "length"), ("pieces.mov", "equal")]:
        content = read(source)
        ends = [start for name, start, _ in boxes(content, 0, len(content)) if name in (b"moof", b"mfra")]
        head, behind, parts = content[: ends[0]], content[ends[-1] :], [content[a:b] for a, b in zip(ends, ends[1:])]
        options = [expect, stereo if expect == "equal" else "-", 1.01 / 2**23 if expect == "equal" else -frames]
        for name, order in {"swapped": [0, 2, 1, *range(3, len(parts))], "second_first": [1, 0, *range(2, len(parts))], "backwards": range(len(parts))[::-1]}.items():
            write(f"{name}_{source}", head + b"".join(parts[n] for n in order) + behind, "mp4 in time", *options, why="ffmpeg keeps the order of the file")
        for name, bad in {"first": 0, "middle": 2, "last": len(parts) - 1}.items():
            lost = [part[: -len(part) + next(start for name, start, _ in boxes(part, 0, len(part)) if name == b"mdat")] if n == bad else part for n, part in enumerate(parts)]
            there = -frames if name == "middle" else -frames * (len(parts) - 1) // len(parts)
            if source == "pieces.m4a" or name == "middle":
                write(f"{name}_lost_of_{source}", head + b"".join(lost) + behind, "mp4 damage", "length", "-", there, "samples of some fragments are lost",
                      why="ffmpeg reads what lies in their place")
    twice = whole + whole[moofs[0][0] :]
    write("again.m4a", twice, "mp4 in time", "length", "-", -2 * frames - 1024, why="its times begin again")
    for source, expect, why in [("pieces.m4a", "late", "no edit list"), ("pieces.mov", "equal", "")]:
        for size in [0, 0xFFFFFFFF]:
            for name, first in [("first", True), ("all", False)]:
                done = []
                def edit(data, at, _end, _track):
                    if not (first and done):
                        done.append(at)
                        struct.pack_into(">I", data, at, size)
                content = patched(read(source), b"mdat", edit)
                tolerance = 1.01 / 2**23 if expect == "equal" else 0
                write(f"open_{name}_{size:x}.{source}", content, "mp4 in time", expect, stereo, tolerance,
                      why=why or "ffmpeg reads no further")
    # Lost bytes that decoders take for short packets.
    for name in ["vorbis2.mp4", "video_opus.mp4"]:
        content = bytearray(read(name))
        at = content.find(b"mdat") + 3000
        content[at : at + 900] = bytes(900)
        write("zeroed_" + name, bytes(content), "damage in packets", "length", "-", -frames, "became silence")
    # Chunks that lie in another order than they are played in; the compact table of sizes.
    content = read("aac.mp4")
    sizes = box_of(content, b"stsz")
    n_packets = struct.unpack_from(">I", sizes, 8)[0]
    lengths = struct.unpack_from(f">{n_packets}I", sizes, 12)
    data_at = struct.unpack_from(">I", box_of(content, b"stco"), 8)[0]
    half = n_packets // 2
    cut = data_at + sum(lengths[:half])
    end = data_at + sum(lengths)
    swapped = content[:data_at] + content[cut:end] + content[data_at:cut] + content[end:]
    swapped = replaced(swapped, b"stsc", b"stsc", struct.pack(">8I", 0, 2, 1, half, 1, 2, n_packets - half, 1))
    swapped = replaced(swapped, b"stco", b"stco", struct.pack(">4I", 0, 2, data_at + end - cut, data_at))
    write("swapped_chunks.mp4", swapped, "mp4 tables", "aligned", stereo)
    wide = replaced(swapped, b"stco", b"co64", struct.pack(">2I2Q", 0, 2, data_at + end - cut, data_at))
    write("co64.mp4", wide, "mp4 tables", "aligned", stereo)
    compact = struct.pack(">3I", 0, 16, n_packets) + struct.pack(f">{n_packets}H", *lengths)
    write("stz2.mp4", replaced(content, b"stsz", b"stz2", compact), "mp4 tables", "aligned", stereo)
    halved = replaced(content, b"stts", b"stts", struct.pack(">4I", 0, 1, half, 1024))
    write("half_times.mp4", halved, "mp4 tables", "length", "-", -frames, why="the last packet's end is not stated")
    # A picture of two descriptions, as editors that cut without encoding leave it.
    for name, expect in [("video.mp4", "aligned"), ("video_opus.mp4", "aligned"), ("video_flac.mp4", "equal"), ("video_alac.mp4", "equal")]:
        content = read(name)
        entry = box_of(content, b"stsd")
        twice = replaced(content, b"stsd", b"stsd", struct.pack(">2I", 0, 2) + 2 * entry[8:], track=0)
        write("two_descriptions_" + name, twice, "mp4 tables", expect, stereo, 1.01 / 2**15 if expect == "equal" else 0)


INDEX = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def box_of(data, kind):
    """The content of the first box of a kind within an index."""
    found = []
    patched(data, kind, lambda data, at, end, _track: found.append(bytes(data[at + 8 : end])), within=INDEX)
    return found[0]


def replaced(data, kind, name, content, track=-1):
    """An MP4 with another box in the place of one of a kind within the index of a track; what lies behind it moves."""
    out, parents = bytearray(data), []
    start, end = 0, len(data)
    for parent in (*INDEX, kind):
        _, start, end = [box for box in boxes(data, start + 8 if parents else 0, end) if box[0] == parent][track if parent == b"trak" else -1]
        parents.append((start, end))
    out[start:end] = struct.pack(">I", len(content) + 8) + name + content
    for at, behind in parents[:-1]:
        struct.pack_into(">I", out, at, behind - at + len(content) + 8 - (end - start))
    return bytes(out)


def packed():
    """A WAV's kinds of samples in the packets of other containers; recordings of browsers; boxes and tags in front."""
    stereo, samples = reference(48000, 2)
    frames = len(samples) // 2
    for codec in ["pcm_u8", "pcm_s16be", "pcm_s32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"]:
        ffmpeg(stereo, f"packed_{codec}.mkv", "-c:a", codec)
        case(f"packed_{codec}.mkv", "mkv PCM", "equal", stereo, tolerance_of(codec))
    for codec in ["adpcm_ima_wav", "adpcm_ms", "adpcm_ima_qt"]:
        for kind in ["mkv", "mov"] if codec != "adpcm_ima_qt" else ["mov"]:
            ffmpeg(stereo, f"packed_{codec}.{kind}", "-c:a", codec)
            case(f"packed_{codec}.{kind}", f"{kind} ADPCM", "aligned", stereo, 2100, why="whole blocks")
    flush()
    # QuickTime counts the samples of such a codec one by one.
    content = read("packed_adpcm_ima_qt.mov")
    n_packets = struct.unpack_from(">I", box_of(content, b"stsz"), 8)[0]
    entry = bytearray(box_of(content, b"stsd"))
    struct.pack_into(">4I", entry, 44, 64, 34, 68, 2)
    counted = replaced(content, b"stsd", b"stsd", bytes(entry))
    for kind, words in {b"stsz": [0, 1, 64 * n_packets], b"stsc": [0, 1, 1, 64 * n_packets, 1], b"stts": [0, 1, 64 * n_packets, 1]}.items():
        counted = replaced(counted, kind, kind, struct.pack(f">{len(words)}I", *words))
    write("counted.mov", counted, "mov ADPCM", "aligned", stereo, 63, why="whole packets")
    for source, expect in [("pcm_s16le.mov", "equal"), ("aac.mp4", "aligned")]:
        for kind in [b"uuid", b"free", b"wide", b"junk", b"prfl", b"PICT"]:
            more = struct.pack(">I", 32) + kind + bytes(24)
            moved = patched(read(source), b"stco", lambda data, at, _end, _track: [
                struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + len(more))
                for place in range(at + 16, at + 16 + 4 * struct.unpack_from(">I", data, at + 12)[0], 4)], within=INDEX)
            write(f"{kind.decode()}_in_front_{source}", more + moved, "mov boxes in front", expect, stereo,
                  1.01 / 2**15 if expect == "equal" else 0)
    tag = b"ID3\3\0\0\0\0\1\0" + bytes(128)
    write("id3_twice.flac", tag + tag + read("flac24.flac"), "flac tags", "equal", stereo, 1.01 / 2**23)
    # A browser's recording: no lengths, no index, clusters of a second; of the last, nothing whole is there.
    head, _, *packets = packets_of(read("opus96kx2.opus"))
    number = lambda name, value: element(name, value.to_bytes((value.bit_length() + 7) // 8 or 1, "big"))
    entry = number("d7", 1) + number("73c5", 1) + number("83", 2) + element("86", b"A_OPUS") + element("63a2", head)
    entry += element("e1", element("b5", struct.pack(">f", 48000)) + number("9f", 2))
    body = element("1a45dfa3", element("4282", b"webm") + number("4287", 4) + number("4285", 2)) + bytes.fromhex("1853806701") + b"\xff" * 7
    body += element("1549a966", number("2ad7b1", 1000000) + element("4d80", b"by hand") + element("5741", b"by hand"))
    body += element("1654ae6b", element("ae", entry))
    starts = []
    for at in range(0, len(packets), 10):
        starts.append(len(body))
        body += bytes.fromhex("1f43b67501") + b"\xff" * 7 + number("e7", 20 * at)
        blocks = [element("a3", b"\x81" + struct.pack(">h", 20 * index) + b"\x80" + packet) for index, packet in enumerate(packets[at : at + 10])]
        body += b"".join(blocks)
    total = 960 * len(packets) - 312
    write("browser.webm", body, "webm Opus", "length", "-", total)
    write("browser_twice.webm", body + body, "webm Opus", "length", "-", 2 * total)
    # Of two, each drops the end of its last packet.
    padded = body[: -len(blocks[-1])] + element("a0", element("a1", b"\x81" + struct.pack(">h", 20 * ((len(packets) - 1) % 10)) + b"\0" + packets[-1]) + element("75a2", (3354167).to_bytes(3, "big")))
    write("browser_paddings.webm", padded + padded, "webm Opus", "length", "-", 2 * (total - 161))
    write("browser_padded.webm", body + bytes(999), "webm Opus", "length", "-", total)
    write("browser_cut.webm", body[: starts[-1] + 60], "mkv damage", "length", "-", 960 * 10 * (len(starts) - 1) - 312, "within a packet")


def unreadable_headers():
    """FLAC whose metadata or description is broken; MP4 whose index is; holes and starts that were passed over."""
    stereo, samples = reference(48000, 2)
    frames = len(samples) // 2
    exact = 1.01 / 2**23
    content = read("flac24.flac")
    parts, at = [], 4
    while not parts or parts[-1][0] < 128:
        length = int.from_bytes(content[at + 1 : at + 4], "big")
        parts.append((content[at], content[at + 4 : at + 4 + length]))
        at += 4 + length
    info, sound = parts[0][1], content[at:]

    def flac(*blocks, info=info, more=0):
        """A FLAC of some blocks of metadata, the last of which states so many bytes more than it has."""
        out, blocks = b"fLaC", [(0, info), *blocks]
        for number, (kind, block) in enumerate(blocks, 1):
            last = number == len(blocks)
            out += bytes([kind | 128 * last]) + (len(block) + more * last).to_bytes(3, "big") + block
        return out + sound

    one = struct.pack("<I", 1) + b"x"
    talk = one + struct.pack("<II", 1, 10) + b"TITLE=Talk"
    for name, made in {
        "count": flac((4, one + struct.pack("<II", 900, 10) + b"TITLE=Talk")), "vendor": flac((4, struct.pack("<I", 2**31 - 1) + b"x")),
        "entry": flac((4, one + struct.pack("<II", 1, 5000) + b"TITLE")), "empty": flac((4, b"")), "text": flac((4, one + struct.pack("<II", 1, 9) + b"TITLE=\xff\xc3(")),
        "picture": flac((6, struct.pack(">II", 3, 99999) + b"image")), "two_tables": flac((3, bytes(18)), (3, bytes(18))), "application": flac((2, b"ab")),
        "past_end": flac((1, bytes(100)), more=16000000), "within_frames": flac((4, talk), more=3000), "longer": flac((1, bytes(100)), more=50),
        "shorter": flac((1, bytes(100)), more=-50), "no_last": b"fLaC\0\0\0\x22" + info + sound, "tagged": b"ID3\3\0\0\0\0\1\0" + bytes(128) + flac((4, b"")),
    }.items():
        write(f"metadata_{name}.flac", made, "flac metadata", "equal", stereo, exact, why="ffmpeg believes the metadata's lengths")
    both = flac((4, b"")) + flac((4, b""))
    write("metadata_joined.flac", both, "flac metadata", "length", "-", 2 * frames, why="ffmpeg loses a frame between the two")
    total = lambda n: bytes([info[13] & 0xF0]) + struct.pack(">I", n)
    for name, place, value in [("blocks_0", 0, bytes(4)), ("blocks_small", 0, b"\0\x10\4\0"), ("blocks_any", 0, b"\0\x10\xff\xff"), ("blocks_swapped", 0, b"\x10\0\0\x10"),
                               ("frames_swapped", 4, b"\0\x40\0\0\0\x10"), ("sum_0", 18, bytes(16)), ("all_0", 0, bytes(34)), ("total_0", 13, total(0)), ("total_1", 13, total(1)),
                               ("total_small", 13, total(frames // 3))]:
        patch = info[:place] + value + info[place + len(value) :]
        write(f"states_{name}.flac", flac(info=patch), "flac metadata", "equal", stereo, exact, why="ffmpeg believes the description")
        if name.startswith("total"):
            write(f"states_{name}_cut.flac", flac(info=patch)[: len(content) * 2 // 3], "flac metadata", "part", notes="last frame is cut off")
    lost = bytearray(flac())
    lost[142:160] = bytes(18)
    write("first_frame.flac", bytes(lost), "flac metadata", "length", "-", frames, "became silence")
    for kind, words in {"mka": [], "mp4": ["-strict", "-2"]}.items():
        ffmpeg("flac24.flac", f"whole_flac.{kind}", "-c", "copy", *words)
    tags = ["-metadata", "title=A talk", "-metadata", "comment=" + 20 * "long "]
    for name, words in {"index.m4a": ["-c:a", "aac"], "index.mov": ["-c:a", "pcm_s24le"]}.items():
        ffmpeg(stereo, name, *words, *tags)
    picture = ["-f", "lavfi", "-i", "color=size=32x32:rate=25:duration=2"]
    for name, codec in {"theora_vorbis.ogv": "libvorbis", "theora_opus.ogv": "libopus"}.items():
        run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *picture, "-itsoffset", "0.5", "-i", path(stereo), "-c:v", "libtheora", "-c:a", codec, path(name))
        case(name, "ogg beside a picture", "length", "-", -(frames + 24000), why="ffmpeg's decoder tells nothing of the start")
    flush()
    first, second = read("theora_vorbis.ogv"), read("theora_opus.ogv")
    write("joined.ogv", first + second, "ogg beside a picture", "length", "-", -(2 * frames + 24000), "several videos", why="ffmpeg reads the first")
    for kind in ["mka", "mp4"]:
        whole = read(f"whole_flac.{kind}")
        at = whole.find(info[:34])
        write(f"blocks_0.{kind}", whole[:at] + bytes(4) + whole[at + 4 :], "flac metadata", "equal", stereo, exact)
    for name, expect in {"index.m4a": "aligned", "index.mov": "equal"}.items():
        whole = read(name)
        options = ("mp4 tables", expect, stereo, exact if expect == "equal" else 0)
        def place(*names, start=0, end=len(whole)):
            for number, wanted in enumerate(names):
                _, start, end = next(box for box in boxes(whole, start + 8 * (number > 0), end) if box[0] == wanted)
            return start, end
        start, end = place(b"moov", b"udta")
        # Behind the sound's tables, which are all that is needed.
        table = place(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco")[1]
        for label, cut in [("none", start), ("head", start + 4), ("some", start + 20), ("most", end - 90), ("table", table + 10)]:
            write(f"tags_{label}_of_{name}", whole[:cut], *options, "index is cut off")
        inner = [b"moov", b"trak", b"mdia", b"minf", b"stbl"]
        for names in [inner[: n + 1] for n in range(5)] + [[*inner, b"stco"], [b"moov", b"udta"]]:
            for more in [3, -3, 8, 4096][: 4 if names == [b"moov"] else 2] if names[-1] in (b"moov", b"trak", b"udta") else [3]:
                at, _ = place(*names)
                wrong = whole[:at] + struct.pack(">I", struct.unpack_from(">I", whole, at)[0] + more) + whole[at + 4 :]
                write(f"{names[-1].decode()}{more:+}_{name}", wrong, *options)
        write(f"audio_track_cut_of_{name}", whole[: place(*inner, b"stsz")[0] + 20], "mp4 damage", "refused", notes="cut off")
    whole = read("pieces.mov")
    moofs = [(start, end) for name, start, end in boxes(whole, 0, len(whole)) if name == b"moof"]
    lost = whole[: moofs[2][0]] + whole[moofs[3][0] :]
    write("lost_fragment.mov", lost, "mp4 in time", "length", "-", frames, "became silence")


def stretched():
    """PCM in MOV whose holes only durations or a header tell, and AAC of the lowest rate."""
    stereo, samples = reference(48000, 2)
    frames, silence, exact = len(samples) // 2, [0.0] * 48000, tolerance_of("pcm_s24le")
    picture = ["-f", "lavfi", "-i", "color=size=32x32:rate=25:duration=2"]
    words = ["-map", "0:v", "-map", "1:a", "-c:a", "pcm_s24le", "-c:v", "mpeg4"]
    for name, more in {"unlisted.mov": ["-use_editlist", "0"], "hybrid_pcm.mov": ["-movflags", "frag_keyframe", "-frag_duration", "500000"],
                       "pieces_late.mov": ["-movflags", "frag_keyframe+empty_moov", "-frag_duration", "500000"]}.items():
        run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", *picture, "-itsoffset", "0.5", "-i", path(stereo), *words, *more, path(name))
    ffmpeg(stereo, "plain_stretched.mov", "-c:a", "pcm_s24le", "-use_editlist", "0")
    for name in ["padded.webm", "counted.mp4"]:
        ffmpeg(stereo, name, "-c:a", "libopus")
    lowest, _ = reference(7350, 1)
    for kind in ["m4a", "mkv", "aac"]:
        ffmpeg(lowest, f"aac7350.{kind}", "-c:a", "aac", "-b:a", "24k")
        case(f"aac7350.{kind}", f"{kind} AAC", *(["aligned", lowest] if kind == "m4a" else ["late", lowest, 1024]), why="" if kind == "m4a" else LONG)
    ffmpeg(lowest, "aac7350.latm", "-c:a", "aac", "-b:a", "24k", "-f", "latm")
    case("aac7350.latm", "refused", "refused", notes="AAC of a kind that is not known here")
    flush()
    for name, behind in {"zero": bytes(1), "zeros": bytes(40), "text": b"text"}.items():
        write(f"{name}_behind.caf", read("alac16.caf") + behind, "caf damage", "equal", stereo, tolerance_of("pcm_s16le"))
    # Durations that leave the encoder's delay out, as GStreamer writes them.
    content = with_edits(read("counted.mp4"), [(round(frames / 48), 0)])
    n_packets = struct.unpack_from(">I", box_of(content, b"stsz"), 8)[0]
    entries = [(1, 960 - 312), (n_packets - 2, 960), (1, frames + 312 - 960 * (n_packets - 1))]
    stts = struct.pack(">II", 0, len(entries)) + b"".join(struct.pack(">II", *entry) for entry in entries)
    write("uncounted.mp4", replaced(content, b"stts", b"stts", stts), "mp4 Opus", "aligned", stereo, why="ffmpeg's decoder does not look at durations")
    # The last block's padding in front of it, as GStreamer writes it.
    content = read("padded.webm")
    at = content.rindex(b"\x75\xa2")
    behind = at + 3 + (content[at + 2] & 0x7F)
    start = next(at for at in range(at, 0, -1) if content[at] == 0xA0 and content[at + 9] == 0xA1 or content[at] == 0xA0 and content[at + 3] == 0xA1)
    inner = start + (9 if content[start + 9] == 0xA1 else 3)
    write("padding_first.webm", content[:inner] + content[at:behind] + content[inner:at] + content[behind:], "webm Opus", "aligned", stereo)
    case("unlisted.mov", "mov PCM", "equal", stereo, exact, "announces 1.75 s of sound, and its index lists 1.25 s")
    late, _ = reference_of("stretched_late.wav", silence, samples)
    for name in ["hybrid_pcm.mov", "pieces_late.mov"]:
        case(name, "mov PCM", "equal", late, exact, why="by the header and the fragments, of which ffmpeg's decoder tells nothing")
    content = read("plain_stretched.mov")
    durations = {"first": [(1, 24001), (frames - 1, 1)], "middle": [(frames // 2, 1), (1, 24001), (frames - frames // 2 - 1, 1)], "last": [(frames - 1, 1), (1, 24001)]}
    cut = 2 * (frames // 2 + 1)
    parts = {"first": [silence, samples], "middle": [samples[:cut], silence, samples[cut:]], "last": [samples]}
    for name, entries in durations.items():
        stts = struct.pack(">II", 0, len(entries)) + b"".join(struct.pack(">II", *entry) for entry in entries)
        whole, _ = reference_of(f"stretched_{name}.wav", *parts[name])
        write(f"stretched_{name}.mov", replaced(content, b"stts", b"stts", stts), "mov PCM", "equal", whole, exact, "became silence" if name == "middle" else "quiet",
              why="ffmpeg's decoder leaves no room for a time")


def packets_of(data):
    """The packets of an Ogg of one stream."""
    found, packet = [], b""
    for page in pages(data):
        at = 27 + page[26]
        for length in page[27:at]:
            packet += bytes(page[at : at + length])
            at += length
            if length < 255:
                found.append(packet)
                packet = b""
    return found


def high_efficiency():
    """HE-AAC, which no encoder of Debian makes: the test puts ADTS there before it runs this."""
    for source in ["he1.aac", "he2.aac", "he_ps.aac"]:
        if not os.path.exists(path(source)):
            continue
        length = SECONDS + 0.08
        case(source, "adts HE-AAC", "length", "-", -round(length * 48000) + 960, why="the first packet is removed")
        stem = source[:-4]
        for kind, more in [("m4a", []), ("mkv", []), ("latm", ["-f", "latm"])]:
            name = f"{stem}.{kind}"
            run("ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-bitexact", "-i", path(source), "-c", "copy", *more, path(name))
            case(name, f"{kind} HE-AAC", "part", why="whole packets; of LATM the first is removed")


def decoded_by_ffmpeg():
    """How many samples per channel ffmpeg makes of each, -1 where it makes none; the samples are kept beside."""
    def one(name):
        kind = ["-f", "loas"] if name.endswith(".latm") else []
        words = ["ffmpeg", "-hide_banner", "-loglevel", "error", *kind, "-i", path(name), "-map", "0:a:0", "-f", "f32le", "-"]
        probe = ["ffprobe", "-loglevel", "error", "-select_streams", "a:0", "-show_entries", "stream=channels", "-of", "default=nw=1:nk=1",
                 *kind, path(name)]
        channels = subprocess.run(probe, capture_output=True, text=True).stdout.split()
        done = subprocess.run(words, capture_output=True)
        with open(path(name) + ".ffmpeg", "wb") as file:
            file.write(done.stdout)
        return len(done.stdout) // 4 // int(channels[0]) if channels and channels[0].isdigit() and int(channels[0]) else -1

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, [case[0] for case in cases]))


for make in (plain, headers, mpeg, aac, xiph, more_mpeg, more_xiph, kinds, rubbish, recorders, timed, packed, unreadable_headers, stretched, high_efficiency, refused):
    make()
    flush()
lines = ["\t".join((*line, str(n_ffmpeg))) + "\n" for line, n_ffmpeg in zip(cases, decoded_by_ffmpeg())]
# Whole or not at all: a list says that the corpus is made.
with open(path("cases.part"), "w") as file:
    file.writelines(lines)
os.replace(path("cases.part"), path("cases.tsv"))
print(f"{len(cases)} files")
