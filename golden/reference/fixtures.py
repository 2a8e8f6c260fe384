"""Runs the reference on one case and writes what each stage produced.

Tensors with a row per token or patch are thinned: when large, only every k-th row is kept and `<name>.rows` lists which.
Pixel values are not stored: they follow exactly from the stored uint8 frames, and a checksum over their bits proves it.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from .pipeline import Prepared, Reference

KEPT_ROW_BYTES = 8_000  # per stage
GREEDY_TOKENS = 64
WHOLE_GRADIENT = 512  # elements; larger gradients are thinned
GRADIENT_STRIDE = 11


def checksum(values: np.ndarray) -> int:
    """Sum of (i + 1) * bits(f32 i), modulo 2^64."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).reshape(-1).astype(np.uint64)
    return int((bits * np.arange(1, bits.size + 1, dtype=np.uint64)).sum(dtype=np.uint64))


def add_rows(out: dict, name: str, value: torch.Tensor, whole: bool) -> None:
    """Stores `[n, d]`, all rows or every k-th."""
    rows = value.detach().float().reshape(-1, value.shape[-1])
    step = max(1, -(-rows.shape[0] * rows.shape[1] * 4 // KEPT_ROW_BYTES))
    if whole or step == 1:
        out[name] = rows.numpy().copy()
        return
    step += 1 - step % 2  # odd, so that both halves of every merge pair and of every head are met
    kept = np.arange(rows.shape[0] - 1, -1, -step)[::-1].copy()  # the last row always
    out[name] = rows.numpy()[kept].copy()
    out[f"{name}.rows"] = kept.astype(np.int64)


class Stages:
    """Collects block outputs during one forward pass."""

    def __init__(self, reference: Reference):
        self.found: dict[str, torch.Tensor] = {}
        self.handles = []
        model = reference.model.model
        text = model if reference.is_text else model.language_model
        if reference.is_text:
            self.watch(text.embed_tokens, "text.embeds")
        else:  # after the features have taken the places of their placeholders
            self.watch(text, "text.embeds", lambda args, kwargs, out: kwargs["inputs_embeds"])
        for i, block in enumerate(text.layers):
            self.watch(block, f"text.block.{i}")
        self.watch(text.norm, "text.norm")
        if not reference.is_text:
            visual = model.visual
            self.medium = "image"
            self.handles.append(visual.register_forward_pre_hook(self.turn))
            self.watch(visual.patch_embed, "vision.embed")
            for i, block in enumerate(visual.blocks):
                self.watch(block, f"vision.block.{i}")
            self.watch(visual, "features", lambda args, kwargs, out: out.pooler_output)

    def turn(self, module, args):
        """The model encodes all images in one call, then all videos in another."""
        self.medium = self.order.pop(0)

    def watch(self, module, name, pick=lambda args, kwargs, out: out):
        def hook(module, args, kwargs, out):
            value = pick(args, kwargs, out)
            value = value[0] if isinstance(value, tuple) else value
            key = name if name.startswith("text") else f"{self.medium}.{name}"
            self.found[key] = value.detach()

        self.handles.append(module.register_forward_hook(hook, with_kwargs=True))

    def run(self, reference: Reference, inputs: dict, positions: torch.Tensor):
        self.order = [kind for kind, key in (("image", "image_grid_thw"), ("video", "video_grid_thw")) if key in inputs]
        with torch.no_grad():
            return reference.forward(inputs, positions)


def frames_entries(prepared: Prepared) -> dict[str, np.ndarray]:
    """Resized uint8 pictures, channels last, with the indices and times of the chosen frames."""
    out = {}
    for i, picture in enumerate(prepared.pictures):
        out[f"image.{i}"] = np.asarray(picture).copy()
    for i, (frames, data, times) in enumerate(zip(prepared.videos, prepared.metadata, prepared.times)):
        whole = frames.round().to(torch.uint8)
        assert torch.equal(whole.float(), frames), "qwen-vl-utils no longer rounds frames"
        out[f"video.{i}"] = whole.permute(0, 2, 3, 1).contiguous().numpy()
        out[f"video.{i}.indices"] = np.asarray(data["frames_indices"], np.int64)
        fps = len(data["frames_indices"]) / data["total_num_frames"] * data["fps"]
        out[f"video.{i}.sample_fps"] = np.asarray([fps], np.float64)
        if times is not None:
            out[f"video.{i}.times"] = np.asarray(times, np.float64)
    return out


def older_positions(prepared: Prepared, reference: Reference) -> np.ndarray:
    """Positions by the rule of the library's 4.x versions: text resumes one past the largest position so far."""
    inputs, positions, following, at = prepared.inputs, [], 0, 0
    kinds = inputs["mm_token_type_ids"][0].tolist()
    grids = {1: iter(inputs.get("image_grid_thw", [])), 2: iter(inputs.get("video_grid_thw", []))}
    seconds = iter(inputs.get("second_per_grid_ts", []))
    rate = getattr(reference.config.vision_config, "tokens_per_second", 1)
    while at < len(kinds):
        if kinds[at] == 0:
            positions.append(np.full((3, 1), following, np.int64))
        else:
            t, h, w = (int(n) for n in next(grids[kinds[at]]))
            step = rate * next(seconds) if kinds[at] == 2 and "second_per_grid_ts" in inputs else 1
            times = (torch.arange(t) * step).long().numpy()
            grid = np.meshgrid(times, np.arange(h // 2), np.arange(w // 2), indexing="ij")
            positions.append(np.stack(grid).reshape(3, -1) + following)
        following = int(positions[-1].max()) + 1
        at += positions[-1].shape[1]
    return np.concatenate(positions, axis=1)


def input_entries(prepared: Prepared, positions: torch.Tensor) -> dict[str, np.ndarray]:
    """Everything the processor made."""
    inputs = prepared.inputs
    out = {"input_ids": inputs["input_ids"][0].numpy(), "position_ids": positions[:, 0].contiguous().numpy()}
    for name in ("image_grid_thw", "video_grid_thw", "second_per_grid_ts"):
        if name in inputs:
            out[name] = torch.as_tensor(inputs[name]).numpy()
    for name in ("pixel_values", "pixel_values_videos"):
        if name in inputs:
            pixels = inputs[name].float().numpy()
            out[f"{name}.checksum"] = np.asarray([checksum(pixels)], np.uint64)
            out[f"{name}.shape"] = np.asarray(pixels.shape, np.int64)
    return out


def case(reference: Reference, messages: list[dict], whole: bool) -> tuple[dict, dict, dict]:
    """Fixture entries, frame entries, notes."""
    prepared = reference.prepare(messages)
    positions = reference.positions(prepared.inputs)
    out = input_entries(prepared, positions)
    if "video_grid_thw" in prepared.inputs:
        out["position_ids_older"] = older_positions(prepared, reference)
    stages = Stages(reference)
    logits = stages.run(reference, prepared.inputs, positions).logits[0].float()
    for handle in stages.handles:
        handle.remove()
    for name, value in stages.found.items():
        add_rows(out, name, value, whole)
    add_rows(out, "logits", logits, whole)
    ids, margin = reference.greedy(prepared.inputs, GREEDY_TOKENS)
    out["greedy_ids"] = np.asarray(ids, np.int64)
    notes = {
        "prompt": prepared.prompt,
        "greedy_text": reference_tokenizer(reference).decode(ids),
        "smallest_margin": margin,
    }
    return out, frames_entries(prepared), notes


def reference_tokenizer(reference: Reference):
    return getattr(reference.processor, "tokenizer", reference.processor)


def loss_and_gradients(reference: Reference, messages: list[dict], name_of) -> dict[str, np.ndarray]:
    """Mean cross-entropy of the last third: ids[i] predicted from logits[i - 1] for i in ceil(2n/3)..n."""
    prepared = reference.prepare(messages)
    positions = reference.positions(prepared.inputs)
    reference.model.zero_grad()
    logits = reference.forward(prepared.inputs, positions).logits[0]
    ids = prepared.inputs["input_ids"][0]
    start = -(-2 * len(ids) // 3)
    loss = torch.nn.functional.cross_entropy(logits[start - 1 : -1], ids[start:])
    loss.backward()
    out = {"loss": loss.detach().reshape(1).numpy(), "loss_from": np.asarray([start], np.int64)}
    for name, parameter in reference.model.named_parameters():
        gradient = parameter.grad.detach().reshape(-1).numpy()
        key = name_of(name)
        out[f"gradient_norm/{key}"] = np.asarray([np.linalg.norm(gradient.astype(np.float64))], np.float64)
        if gradient.size <= WHOLE_GRADIENT:
            out[f"gradient/{key}"] = gradient.reshape(tuple(parameter.shape)).copy()
        else:
            out[f"gradient_every_{GRADIENT_STRIDE}/{key}"] = gradient[::GRADIENT_STRIDE].copy()
    reference.model.zero_grad()
    return out


def rounded(folder: Path, reference: Reference, messages: list[dict]) -> tuple[dict[str, np.ndarray], dict]:
    """Logits of the reference computing in bfloat16, and how far they are from its float32 ones."""
    prepared = reference.prepare(messages)
    positions = reference.positions(prepared.inputs)
    with torch.no_grad():
        exact = reference.forward(prepared.inputs, positions).logits[0].float()
        coarse = Reference(folder, torch.bfloat16).forward(prepared.inputs, positions).logits[0].float()
    out = {}
    add_rows(out, "logits", coarse, whole=False)
    gap = coarse - exact
    return out, {"max_abs": float(gap.abs().max()), "relative": float(gap.norm() / exact.norm())}


def batch(reference: Reference, conversations: list[list[dict]]) -> tuple[dict, dict, list[dict]]:
    """Each row's inputs, its logits inside the padded batch and alone, and its greedy ids alone."""
    together = reference.prepare_batch(conversations)
    with torch.no_grad():
        padded = reference.forward(together.inputs, reference.positions(together.inputs)).logits.float()
    out, notes = {}, []
    for row, messages in enumerate(conversations):
        entries, _, note = case(reference, messages, whole=False)
        length = len(entries["input_ids"])
        assert together.inputs["attention_mask"][row, -length:].all(), "the reference pads on the left"
        keep = ("input_ids", "position_ids", "image_grid_thw", "video_grid_thw", "second_per_grid_ts", "greedy_ids")
        out.update({f"row.{row}.{k}": v for k, v in entries.items() if k in keep or k.startswith(("pixel_values", "logits"))})
        rows = entries.get("logits.rows", np.arange(length))
        out[f"row.{row}.logits_in_batch"] = padded[row, -length:][rows].numpy()
        notes.append(note)
    return out, frames_entries(together), notes


def write(path: Path, entries: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: np.ascontiguousarray(v) for k, v in sorted(entries.items())}, path)
    path.chmod(0o644)


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(compact(value) + "\n")


def compact(value, depth: int = 0) -> str:
    """JSON with one line per row of a table and per field of an object, so that a change reads as one."""
    pad = " " * (depth + 1)
    if isinstance(value, dict) and value and depth < 2:
        fields = [f"{pad}{json.dumps(str(k))}: {compact(v, depth + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(fields) + "\n" + " " * depth + "}"
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value) and depth < 2:
        return "[\n" + ",\n".join(pad + compact(v, 2) for v in value) + "\n" + " " * depth + "]"
    return json.dumps(value, ensure_ascii=False)
