"""Writes a random checkpoint of a real model's size, for speed and memory measurements.

    python random_checkpoint.py --shape tiny|train|embedded|0.5b|7b --family qwen2_5_vl|qwen2_vl|qwen2 --dtype f32|bf16 --out DIR

The weights are written tensor by tensor, so memory stays small whatever the shape. The tokenizer is the tiny one; the
vocabulary is padded to the real size.
"""

import argparse
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import torch

from reference import checkpoints, tokenizer

TEXT = {
    "tiny": {},
    "0.5b": {
        "hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14, "num_hidden_layers": 24,
        "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True, "mrope_section": [8, 12, 12],
    },
    "train": {
        "hidden_size": 256, "intermediate_size": 768, "num_attention_heads": 8, "num_hidden_layers": 8,
        "num_key_value_heads": 8, "vocab_size": 2048, "tie_word_embeddings": False,
    },
    "embedded": {
        "hidden_size": 192, "intermediate_size": 512, "num_attention_heads": 6, "num_hidden_layers": 6,
        "num_key_value_heads": 2, "vocab_size": 2048, "tie_word_embeddings": True, "mrope_section": [4, 6, 6],
    },
    "7b": {
        "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_hidden_layers": 28,
        "num_key_value_heads": 4, "vocab_size": 152064, "tie_word_embeddings": False, "mrope_section": [16, 24, 24],
    },
}  # fmt: skip
VISION = {
    ("tiny", "qwen2_vl"): {},
    ("tiny", "qwen2_5_vl"): {},
    ("embedded", "qwen2_5_vl"): {
        "depth": 4, "hidden_size": 160, "intermediate_size": 448, "num_heads": 4, "out_hidden_size": 192,
        "fullatt_block_indexes": [1, 3],
    },
    ("0.5b", "qwen2_vl"): {"depth": 8, "embed_dim": 320, "mlp_ratio": 4, "num_heads": 4, "hidden_size": 896},
    ("0.5b", "qwen2_5_vl"): {
        "depth": 8, "hidden_size": 320, "intermediate_size": 860, "num_heads": 4, "out_hidden_size": 896,
        "fullatt_block_indexes": [3, 7],
    },
    ("7b", "qwen2_vl"): {"depth": 32, "embed_dim": 1280, "mlp_ratio": 4, "num_heads": 16, "hidden_size": 3584},
    ("7b", "qwen2_5_vl"): {
        "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584,
        "fullatt_block_indexes": [7, 15, 23, 31],
    },
}  # fmt: skip
SHARD_BYTES = 4 << 30
POOL = 4194301  # normal draws that every tensor is cut from, at its own offset; prime, so that no two rows are equal


def configuration(shape: str, family: str, dtype: str) -> dict:
    """The published layout with the sizes of `shape`."""
    text = dict(TEXT[shape])
    section = text.pop("mrope_section", None)
    config = {**checkpoints.published_config(family), **text}
    config["torch_dtype"] = {"f32": "float32", "bf16": "bfloat16"}[dtype]
    config.update(max_position_embeddings=32768, max_window_layers=config["num_hidden_layers"], sliding_window=32768)
    if family != "qwen2":
        config["vision_config"] = {**config["vision_config"], **VISION[shape, family]}
        if section is not None:
            config["rope_scaling"] = {"type": "mrope", "mrope_section": section}
    return config


def values(name: str, shape: tuple[int, ...], pool: torch.Tensor, tied: bool, dtype: torch.dtype):
    """The bytes of one tensor, piece by piece."""
    mean, deviation = checkpoints.spread(name, shape, tied)
    left, at = int(np.prod(shape)), zlib.crc32(name.encode()) % POOL
    while left:
        piece = pool[at : at + left]
        yield (mean + deviation * piece).to(dtype).view(torch.uint8).numpy().tobytes()
        left, at = left - len(piece), 0


def write_shard(path: Path, part: dict[str, tuple[int, ...]], pool: torch.Tensor, tied: bool, dtype: torch.dtype) -> None:
    """A safetensors file: header length, header, then the tensors one after another."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in part.items():
        end = offset + int(np.prod(shape)) * dtype.itemsize
        kind = {torch.float32: "F32", torch.bfloat16: "BF16"}[dtype]
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in part.items():
            for piece in values(name, shape, pool, tied, dtype):
                file.write(piece)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", required=True, choices=list(TEXT))
    parser.add_argument("--family", required=True, choices=list(checkpoints.SEEDS))
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    config = configuration(options.shape, options.family, options.dtype)
    checkpoints.write_json(options.out / "config.json", config)
    checkpoints.write_json(options.out / "generation_config.json", checkpoints.generation_config(options.family))
    tokenizer.write(options.out, options.family)
    if options.family != "qwen2":
        checkpoints.write_json(options.out / "preprocessor_config.json", checkpoints.PREPROCESSOR)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[options.dtype]
    parts, room = [{}], SHARD_BYTES
    for name, shape in checkpoints.shapes(options.family, options.out).items():
        size = int(np.prod(shape)) * dtype.itemsize
        if size > room and parts[-1]:
            parts.append({})
            room = SHARD_BYTES
        parts[-1][name] = shape
        room -= size
    pool = torch.from_numpy(np.random.default_rng(3).standard_normal(POOL, dtype=np.float32))
    files = ["model.safetensors"] if len(parts) == 1 else [f"model-{i + 1:05}-of-{len(parts):05}.safetensors" for i in range(len(parts))]
    for file, part in zip(files, parts):
        write_shard(options.out / file, part, pool, config["tie_word_embeddings"], dtype)
    total = sum(int(np.prod(shape)) * dtype.itemsize for part in parts for shape in part.values())
    if len(parts) > 1:
        map_ = {name: file for file, part in zip(files, parts) for name in part}
        checkpoints.write_json(options.out / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": map_})
    print(f"{options.out}: {total / 1e9:.2f} GB in {len(parts)} file(s)")


if __name__ == "__main__":
    main()
