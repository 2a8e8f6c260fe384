"""Makes the tiny checkpoints and exports what the reference library does with them. Usage: python export.py [family ...]

Writes golden/tiny. Media files that exist are kept; everything else is made again, identically.
"""

import argparse
import contextlib
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch

from reference import cases, checkpoints, encoder, fixtures, media, tables, templates
from reference.pipeline import Reference

GRADIENT_CASE = {"qwen2_vl": "mixed", "qwen2_5_vl": "mixed", "qwen2": "turns"}
BFLOAT_CASE = {"qwen2_vl": "image", "qwen2_5_vl": "image", "qwen2": "text"}
WHOLE_CASES = {("qwen2_vl", "image"), ("qwen2_5_vl", "image")}
LIBRARIES = ["transformers", "qwen-vl-utils", "torch", "torchvision", "torchcodec", "tokenizers", "pillow", "numpy", "safetensors"]
SMALLEST_MARGIN = 1e-3


def export_family(family: str, root: Path) -> None:
    """One family's checkpoint and all of its cases."""
    checkpoints.make(family, root / family)
    reference = Reference(root / family)
    notes = {}
    for name, messages in cases.of(family).items():
        if name == "batch":
            entries, frames, notes[name] = fixtures.batch(reference, messages)
            margins = [note["smallest_margin"] for note in notes[name]]
        else:
            whole = (family, name) in WHOLE_CASES
            entries, frames, notes[name] = fixtures.case(reference, messages, whole)
            margins = [notes[name]["smallest_margin"]]
        if min(margins) < SMALLEST_MARGIN:
            sys.exit(f"{family} {name}: greedy margin {min(margins):.1e} is too small, change the seed in checkpoints.SEEDS")
        fixtures.write(root / "fixtures" / family / f"{name}.safetensors", entries)
        if frames and family == "qwen2_5_vl":
            fixtures.write(root / "frames" / f"{name}.safetensors", frames)
        fixtures.write_json(root / "cases" / ("text" if family == "qwen2" else "vision") / f"{name}.json", messages)
    entries, notes["bf16"] = fixtures.rounded(root / family, reference, cases.of(family)[BFLOAT_CASE[family]])
    fixtures.write(root / "fixtures" / family / "bf16.safetensors", entries)
    fixtures.write_json(root / "fixtures" / family / "notes.json", notes)
    name = GRADIENT_CASE[family]
    gradients = fixtures.loss_and_gradients(reference, cases.of(family)[name], checkpoints.published_name)
    fixtures.write(root / "fixtures" / family / "gradients.safetensors", gradients)
    if family == "qwen2":
        export_sliding(root)
    else:
        export_saved(family, reference, root)


@contextlib.contextmanager
def overlaid(*folders: Path):
    """A temporary directory with the files of all folders, later ones winning."""
    with tempfile.TemporaryDirectory() as temporary:
        for folder in folders:
            shutil.copytree(folder, temporary, dirs_exist_ok=True)
        yield Path(temporary)


def export_sliding(root: Path) -> None:
    """The text family's weights under a configuration with a sliding window."""
    checkpoints.make_sliding(root / "qwen2", root / "qwen2_sliding")
    with overlaid(root / "qwen2", root / "qwen2_sliding") as whole:
        entries, _, _ = fixtures.case(Reference(whole), cases.TEXT["turns"], whole=False)
    kept = {name: entries[name] for name in ("input_ids", "position_ids", "logits", "logits.rows", "greedy_ids")}
    fixtures.write(root / "fixtures" / "qwen2" / "sliding.safetensors", kept)


def export_saved(family: str, reference: Reference, root: Path) -> None:
    """Today's file layout for the same weights; proves that it is the same model to the reference."""
    folder = root / f"{family}_saved"
    checkpoints.make_saved(reference, folder)
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary)
        shutil.copytree(folder, whole, dirs_exist_ok=True)
        tensors = {checkpoints.todays_name(k): v for k, v in checkpoints.weights(family, root / family).items()}
        checkpoints.write_tensors(whole / "model.safetensors", tensors)
        prepared = reference.prepare(cases.VISION["mixed"])
        again = Reference(whole).greedy(prepared.inputs, 16)
    expected = reference.greedy(prepared.inputs, 16)
    if again != expected:
        sys.exit(f"{family}: the saved layout is another model")
    checkpoints.make_nested(root / family, root / f"{family}_nested")
    with overlaid(root / family, root / f"{family}_nested") as whole:
        if Reference(whole).greedy(prepared.inputs, 16) != expected:
            sys.exit(f"{family}: the nested layout is another model")


def card(root: Path) -> dict:
    """What made the fixtures."""
    here = Path(__file__).parent
    sources = [here / "export.py", *sorted((here / "reference").glob("*.py"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return {
        "libraries": {name: version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "computed_in": "float32",
        "stored_weights": {"qwen2_vl": "bfloat16", "qwen2_5_vl": "bfloat16", "qwen2": "float32"},
        "attention": "sdpa",
        "seeds": checkpoints.SEEDS,
        "script_sha256": digest,
        "gradient_case": GRADIENT_CASE,
        "bfloat16_case": BFLOAT_CASE,
        "greedy_tokens": fixtures.GREEDY_TOKENS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", default=list(checkpoints.SEEDS))
    families = parser.parse_args().families
    root = (Path(__file__).parent / "tiny").resolve()
    root.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    media.draw_all(root / "media")
    os.chdir(root)  # media locations in the cases are relative to it
    for family in families:
        export_family(family, root)
    encoder.export(root)
    tables.write_all(root, Reference(root / "qwen2_5_vl"))
    templates.export(root)
    fixtures.write_json(root / "card.json", card(root))


if __name__ == "__main__":
    main()
