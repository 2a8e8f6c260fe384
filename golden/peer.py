"""Does with the reference library what `firsthand dump` does, so that anyone can compare the two on a checkpoint.

    python peer.py --model DIR --messages FILE --out FILE.safetensors [--greedy N] [--dtype f32|bf16]
    firsthand dump --model DIR --messages FILE --out OTHER.safetensors [--greedy N]
    python compare.py FILE.safetensors OTHER.safetensors

Greedy ids are the plain argmax: stop tokens and generation_config.json are ignored.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from reference.pipeline import Reference

PIXELS = ["pixel_values", "pixel_values_videos", "image_grid_thw", "video_grid_thw"]


def dump(reference: Reference, messages: list[dict], greedy: int) -> dict[str, torch.Tensor]:
    """Entries of the dump file."""
    prepared = reference.prepare(messages)
    positions = reference.positions(prepared.inputs)
    out = {"input_ids": prepared.inputs["input_ids"][0], "position_ids": positions[:, 0]}
    out.update({name: torch.as_tensor(prepared.inputs[name]) for name in PIXELS if name in prepared.inputs})
    with torch.no_grad():
        out["logits"] = reference.forward(prepared.inputs, positions).logits[0].float()
    if greedy:
        ids, margin = reference.greedy(prepared.inputs, greedy)
        out["generated_ids"] = torch.tensor(ids)
        print(f"greedy: smallest lead of a chosen token {margin:.2e}")
    return {name: value.contiguous() for name, value in out.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--messages", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--greedy", type=int, default=0)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[options.dtype]
    messages = json.loads(options.messages.read_text())
    save_file(dump(Reference(options.model, dtype), messages, options.greedy), options.out)


if __name__ == "__main__":
    main()
