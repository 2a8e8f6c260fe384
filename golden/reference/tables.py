"""Pure functions of the reference libraries as tables: sizes, frame counts, frame choice, resizing, sampling, tokens."""

from pathlib import Path

import numpy as np
import torch
import torchvision.transforms.functional as classic
import torchvision.transforms.v2.functional as current
from PIL import Image
from qwen_vl_utils import vision_process as utils
from torchcodec.decoders import VideoDecoder
from torchvision.transforms import InterpolationMode
from transformers import generation

from . import media
from .fixtures import write, write_json


def attempt(function, *arguments, **named):
    """The result, or null where the reference refuses."""
    try:
        return function(*arguments, **named)
    except (ValueError, AssertionError):
        return None


def size_table() -> list[dict]:
    """smart_resize of qwen-vl-utils; limits given as the message format gives them."""
    sides = [1, 13, 14, 27, 28, 41, 42, 43, 56, 70, 99, 140, 224, 333, 480, 719, 1080, 1920, 4001, 20000]
    limits = [(None, None), (3136, 12845056), (100352, 602112), (3136, 50176), (1000, 100000.5), (784, 784), (9000, 3000)]
    rows = []
    for factor in (28, 32):
        for i, height in enumerate(sides):
            for j, width in enumerate(sides):
                low, high = limits[(3 * i + 5 * j) % len(limits)]
                size = attempt(utils.smart_resize, height, width, factor, low, high)
                rows.append([height, width, factor, low, high, size])
    return rows


def count_table() -> list[dict]:
    """smart_nframes: total frames, frames a second of the file, the message's options, chosen count."""
    options = [{}, {"fps": 1}, {"fps": 0.3}, {"fps": 3.7}, {"fps": 60}, {"nframes": 5}, {"nframes": 7}, {"nframes": 64}]
    options += [{"fps": 2, "max_frames": 9}, {"fps": 2, "min_frames": 7}, {"fps": 1, "min_frames": 16, "max_frames": 12}]
    options += [{"max_frames": 64}, {"nframes": 1}, {"nframes": 3}, {"fps": 0.001, "min_frames": 1}, {"max_frames": 1}]
    rows = []
    for total in (1, 2, 3, 4, 5, 17, 75, 100, 751, 3000, 90000):
        for rate in (25, 30000 / 1001, 12.5):
            for option in options:
                rows.append([total, rate, option, attempt(utils.smart_nframes, dict(option), total, rate)])
    return rows


def spread_table() -> list[dict]:
    """Frame indices: float32 linspace over an inclusive range, rounded half to even."""
    rows = []
    for start, end in ((0, 0), (0, 1), (0, 9), (0, 74), (0, 99), (15, 65), (7, 2999), (0, 17981), (3, 89999), (0, 1079999)):
        for count in (2, 4, 6, 8, 16, 64, 768):
            if count <= end - start + 1:
                indices = torch.linspace(start, end, count).round().long().tolist()
                long = count > 64
                rows.append({"start": start, "end": end, "count": count, "every": 37 if long else 1, "indices": indices[:: 37 if long else 1]})
    return rows


def range_table() -> list[dict]:
    """calculate_video_frame_range: first and last frame and count for a time span."""
    rows = []
    for total, rate in ((100, 25.0), (75, 30000 / 1001), (1, 25.0), (300, 29.97)):
        for start in (None, 0.0, 0.5, 1.01, 3.999, -1.0, 99.0):
            for end in (None, 0.4, 2.2, 3.96, 1000.0, 0.5):
                options = {k: v for k, v in (("video_start", start), ("video_end", end)) if v is not None}
                rows.append([total, rate, start, end, attempt(utils.calculate_video_frame_range, options, total, rate)])
    return rows


def frame_size_table() -> list[dict]:
    """The size fetch_video gives `[frames, height, width]`, with the message's options, for factor 28 and 32."""
    shapes = [(2, 72, 96), (4, 66, 118), (8, 240, 320), (16, 360, 640), (64, 90, 160), (4, 1080, 1920)]
    options = [{}, {"max_pixels": 151200}, {"min_pixels": 3136, "max_pixels": 6272}, {"total_pixels": 40000}]
    options += [{"min_pixels": 3136, "total_pixels": 100000}, {"resized_height": 75, "resized_width": 131}, {"max_pixels": 3136}]
    options += [{"min_pixels": 3136, "max_pixels": 10**9}]
    rows = []
    picked = utils.transforms.functional.resize
    try:
        # Only the size is wanted: the resize itself is replaced by an empty picture of that size.
        utils.transforms.functional.resize = lambda video, size, **_: torch.empty(len(video), 3, *size)
        for count, height, width in shapes:
            reader = lambda ele: (torch.empty(count, 3, height, width), {}, 2.0)  # noqa: B023, E731
            utils.VIDEO_READER_BACKENDS["torchcodec"] = reader
            for option in options:
                for patch in (14, 16):
                    found = attempt(utils.fetch_video, {"video": "none", **option}, image_patch_size=patch)
                    size = None if found is None else list(found.shape[-2:])
                    rows.append([count, height, width, patch * 2, option, size])
    finally:
        utils.transforms.functional.resize = picked
        utils.VIDEO_READER_BACKENDS["torchcodec"] = utils._read_video_torchcodec
    return rows


def resize_table() -> dict[str, np.ndarray]:
    """One noisy picture resized by each of the three libraries, up and down, `<library>.<h>x<w>`."""
    height, width = 45, 67
    noise = np.random.default_rng(5).integers(-40, 41, (height, width, 3))
    source = (media.picture(height, width, 0.7) + noise).clip(0, 255).astype(np.uint8)
    source[5:12, 20:40] = 255
    source[12:20, 20:40] = 0
    tensor = torch.from_numpy(source).permute(2, 0, 1).contiguous()
    out = {"source": source}
    options = {"interpolation": InterpolationMode.BICUBIC, "antialias": True}
    for size in ((28, 28), (56, 84), (28, 56), (45, 28), (50, 67)):
        name = f"{size[0]}x{size[1]}"
        out[f"pil.{name}"] = np.asarray(Image.fromarray(source).resize((size[1], size[0])))
        out[f"torch_float.{name}"] = classic.resize(tensor[None], list(size), **options)[0].permute(1, 2, 0).numpy()
        out[f"torch_uint8.{name}"] = current.resize(tensor[None], list(size), **options)[0].permute(1, 2, 0).numpy()
    return out


def decode_table(folder: Path) -> dict[str, np.ndarray]:
    """Frames of the clips at full size as torchcodec decodes them, with index and time; pictures as PIL opens them."""
    out = {}
    for clip, indices in (("clip.mp4", [0, 99]), ("odd.mp4", [41, 74]), ("rotated.mp4", [0, 11]), ("varied.mp4", [9, 10, 29])):
        decoder = VideoDecoder(str(folder / clip))
        frames = decoder.get_frames_at(indices=indices)
        out[clip] = frames.data.permute(0, 2, 3, 1).contiguous().numpy()
        out[f"{clip}.indices"] = np.asarray(indices, np.int64)
        out[f"{clip}.times"] = frames.pts_seconds.numpy().astype(np.float64)
        out[f"{clip}.total"] = np.asarray([decoder.metadata.num_frames], np.int64)
        out[f"{clip}.fps"] = np.asarray([decoder.metadata.average_fps], np.float64)
    for picture in ("small.png", "photo.jpg", "tall.png"):
        out[picture] = np.asarray(utils.to_rgb(Image.open(folder / picture)))
    return out


def normalise_table(reference) -> dict[str, np.ndarray]:
    """The processor's value of each uint8 level, `[3, 256]`."""
    processor = reference.processor.image_processor
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16).contiguous()
    values = processor.rescale_and_normalize(levels, True, 1 / 255, True, processor.image_mean, processor.image_std)
    as_float = processor.rescale_and_normalize(levels.float(), True, 1 / 255, True, processor.image_mean, processor.image_std)
    assert torch.equal(values, as_float), "images (uint8) and frames (float) would normalise differently"
    return {"levels": values.reshape(3, 256).numpy()}


def sampling_table() -> dict[str, np.ndarray]:
    """Scores before and after transformers' logits processors, in the order generate applies them."""
    random = np.random.default_rng(11)
    settings = [(1.0, 0, 1.0, 1.0), (0.7, 0, 1.0, 1.0), (1.0, 5, 1.0, 1.0), (1.0, 0, 0.8, 1.0), (0.7, 20, 0.8, 1.05)]
    settings += [(1e-6, 0, 1.0, 1.05), (0.01, 1, 0.001, 1.0), (1.3, 50, 0.95, 1.3), (1.0, 0, 0.0001, 1.0), (1.0, 100, 1.0, 0.7)]
    scores = (3 * random.standard_normal((len(settings), 97))).astype(np.float32)
    scores[2, 10:14] = scores[2].max()  # ties at the edge of the kept set
    scores[3, 40:43] = 2.5
    ids = random.integers(0, 97, (len(settings), 12))
    ids[:, 1] = ids[:, 0]  # a repeated token is penalised once
    processed = []
    for row, (temperature, top_k, top_p, penalty) in enumerate(settings):
        value = torch.from_numpy(scores[row : row + 1])
        seen = torch.from_numpy(ids[row : row + 1])
        if penalty != 1.0:
            value = generation.RepetitionPenaltyLogitsProcessor(penalty)(seen, value)
        if temperature != 1.0:
            value = generation.TemperatureLogitsWarper(temperature)(seen, value)
        if top_k != 0:
            value = generation.TopKLogitsWarper(top_k)(seen, value)
        if top_p < 1.0:
            value = generation.TopPLogitsWarper(top_p)(seen, value)
        processed.append(value[0].numpy())
    out = {"scores": scores, "ids": ids.astype(np.int64), "processed": np.stack(processed)}
    out["settings"] = np.asarray(settings, np.float64)  # temperature, top_k (0: off), top_p, repetition penalty
    out["probabilities"] = torch.softmax(torch.from_numpy(out["processed"]), dim=-1).numpy()
    return out


def token_table(reference) -> list[dict]:
    """Strings and their ids, special tokens recognised."""
    words = [
        "", " ", "\n", "Hello.", "  two  spaces ", "tab\tand\r\nnewline\n\n", "It's we'll THEY'RE", "12345 3.14", "<|im_end|>",
        "a<|image_pad|><|image_pad|>b", "<tool_call>{}</tool_call>", "Küche – «杯子»?", "e\u0301 vs \u00e9", "👩‍🚀🏽", "<|im_start", "x" * 50,
        "if (a[0] != b) { return -1; }", "\u00a0nbsp\u3000wide", "\ufb01 ligature", "ＡＢＣ", "\u0000\u0001",
    ]  # fmt: skip
    encode = reference.processor.tokenizer
    rows = []
    for text in words:
        ids = encode(text)["input_ids"]
        rows.append({"text": text, "ids": ids, "decoded": encode.decode(ids), "plain": encode.decode(ids, skip_special_tokens=True)})
    return rows


def write_all(root: Path, reference) -> None:
    """Every table. `reference` is any vision family's."""
    tables = root / "tables"
    made = {
        "smart_resize": {"columns": ["height", "width", "factor", "min_pixels", "max_pixels", "size"], "rows": size_table()},
        "smart_nframes": {"columns": ["total", "fps", "options", "count"], "rows": count_table()},
        "frame_range": {"columns": ["total", "fps", "video_start", "video_end", "first_last_count"], "rows": range_table()},
        "frame_size": {"columns": ["frames", "height", "width", "factor", "options", "size"], "rows": frame_size_table()},
        "linspace": spread_table(),
        "tokens": token_table(reference),
    }
    for name, value in made.items():
        write_json(tables / f"{name}.json", value)
    write(tables / "resize.safetensors", resize_table())
    write(tables / "decode.safetensors", decode_table(root / "media"))
    write(tables / "normalise.safetensors", normalise_table(reference))
    write(tables / "sampling.safetensors", sampling_table())
