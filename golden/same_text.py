"""Answers with the reference library what `firsthand eval world` answered, and compares the texts.

    firsthand eval world --seed 3 --items 1 --dtype f32 --no-controls --media MEDIA --answers ANSWERS.jsonl [--model DIR]
    python same_text.py --model DIR --answers ANSWERS.jsonl [--count N]

Exit code 1 when a text differs.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

from reference.pipeline import Reference


def limits(folder: Path) -> list[int] | None:
    """Fewest and most pixels that the checkpoint was trained with; qwen-vl-utils must be told."""
    return json.loads((folder / "preprocessor_config.json").read_text()).get("firsthand_pixels")


def with_limits(messages: list[dict], pixels: list[int] | None) -> list[dict]:
    for message in messages:
        for part in message["content"]:
            if pixels and part["type"] in ("image", "video"):
                part["min_pixels"], part["max_pixels"] = pixels
    return messages


def reply(reference: Reference, messages: list[dict], most: int) -> str:
    tokenizer = reference.processor.tokenizer
    ids, _ = reference.greedy(reference.prepare(messages).inputs, most)
    end = tokenizer.eos_token_id
    ids = ids[: ids.index(end)] if end in ids else ids
    return tokenizer.decode(ids, skip_special_tokens=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--answers", required=True, type=Path)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=160)
    options = parser.parse_args()
    reference = Reference(options.model, torch.float32)
    pixels = limits(options.model)
    same = 0
    rows = [json.loads(line) for line in options.answers.read_text().splitlines()][: options.count]
    for row in rows:
        theirs = reply(reference, with_limits(row["messages"], pixels), options.tokens)
        if theirs == row["text"]:
            same += 1
        else:
            print(f"{row['id']}\n  ours   {row['text']!r}\n  theirs {theirs!r}")
    print(f"{same} of {len(rows)} texts are equal")
    sys.exit(same != len(rows))


if __name__ == "__main__":
    main()
