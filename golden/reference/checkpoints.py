"""Tiny checkpoints with random weights, in the file layouts that published and freshly saved checkpoints have.

The configuration numbers are small but every structure of the real ones is there: grouped-query attention, M-RoPE
sections, windowed vision attention, a padded vocabulary, tied and untied heads, several shards.
"""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from . import tokenizer

VOCABULARY = 416  # more than the tokenizer has, as in published checkpoints
TEXT = {
    "attention_dropout": 0.0,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 96,
    "max_position_embeddings": 4096,
    "max_window_layers": 2,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 4096,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.41.2",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": VOCABULARY,
}
SMALL_TEXT = {"hidden_size": 48, "intermediate_size": 80, "num_attention_heads": 3, "num_key_value_heads": 1}
VISION_2 = {
    "depth": 2,
    "embed_dim": 32,
    "mlp_ratio": 2,
    "num_heads": 2,
    "in_chans": 3,
    "hidden_size": 64,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "spatial_patch_size": 14,
    "temporal_patch_size": 2,
}
VISION_2_5 = {
    "depth": 4,
    "hidden_act": "silu",
    "hidden_size": 32,
    "intermediate_size": 44,
    "num_heads": 2,
    "in_chans": 3,
    "out_hidden_size": 64,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "spatial_patch_size": 14,
    "window_size": 112,
    "fullatt_block_indexes": [1, 3],
    "tokens_per_second": 2,
    "temporal_patch_size": 2,
}
PREPROCESSOR = {
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor",
}
SEEDS = {"qwen2_vl": 13, "qwen2_5_vl": 14, "qwen2": 4}


def special_ids() -> dict[str, int]:
    """The ids that model configurations name."""
    ids = tokenizer.special_token_ids()
    return {
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
    }


def published_config(family: str) -> dict:
    """config.json with the text fields at the top level, as the hub has it."""
    ids = tokenizer.special_token_ids()
    common = {**TEXT, "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"]}
    rope = {"rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}}
    if family == "qwen2":
        head = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "tie_word_embeddings": False}
        return {**head, **common, **SMALL_TEXT, "torch_dtype": "float32"}
    if family == "qwen2_vl":
        head = {"architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl", "tie_word_embeddings": False}
        return {**head, **common, **special_ids(), "vision_config": VISION_2, **rope}
    head = {"architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl", "tie_word_embeddings": True}
    return {**head, **common, **special_ids(), "vision_config": VISION_2_5, **rope}


def spread(name: str, shape: tuple[int, ...], tied: bool) -> tuple[float, float]:
    """Mean and deviation of a weight, so that every layer matters and the best token stands clear of the second."""
    if "norm" in name or "ln_q" in name:
        # Small tied embeddings keep the model from echoing; the last norm gives the logits their spread back.
        last = 4.0 if tied and name == "model.norm.weight" else 1.0
        return (last if name.endswith("weight") else 0.0), 0.1 * last
    if name.endswith("bias"):
        return 0.0, 0.3
    if "embed_tokens" in name:
        return 0.0, 1.2 / float(np.sqrt(shape[-1])) if tied else 1.0
    if "lm_head" in name:
        return 0.0, 4 / float(np.sqrt(shape[-1]))
    gain = 1.5 if any(part in name for part in ("q_proj", "k_proj", "qkv", "o_proj", "down_proj")) else 1.0
    return 0.0, gain / float(np.sqrt(np.prod(shape[1:])))


def random_weight(name: str, shape: tuple[int, ...], seed: int, tied: bool) -> torch.Tensor:
    """Seeded by name, so that no weight depends on another."""
    mean, deviation = spread(name, shape, tied)
    draw = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape)
    return torch.from_numpy((mean + deviation * draw).astype(np.float32))


def published_name(name: str) -> str:
    """The key a module path has in published checkpoints."""
    return name.replace("model.visual.", "visual.", 1).replace("model.language_model.", "model.", 1)


def shapes(family: str, config_dir: Path) -> dict[str, tuple[int, ...]]:
    """Every tensor's shape under its published name; the configuration alone decides, nothing is allocated."""
    config = AutoConfig.from_pretrained(config_dir)
    maker = AutoModelForCausalLM if family == "qwen2" else AutoModelForImageTextToText
    with torch.device("meta"):
        model = maker.from_config(config)
    return {published_name(name): tuple(parameter.shape) for name, parameter in model.named_parameters()}


def weights(family: str, config_dir: Path) -> dict[str, torch.Tensor]:
    """Every tensor under its published name."""
    tied = published_config(family)["tie_word_embeddings"]
    dtype = torch.float32 if family == "qwen2" else torch.bfloat16
    found = shapes(family, config_dir).items()
    return {key: random_weight(key, shape, SEEDS[family], tied).to(dtype) for key, shape in found}


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)


def write_shards(folder: Path, tensors: dict[str, torch.Tensor], shards: int) -> None:
    """One file, or `shards` files with an index, layers split the way a size limit would split them."""
    if shards == 1:
        write_tensors(folder / "model.safetensors", tensors)
        return
    names = sorted(tensors)
    total = sum(tensors[name].nbytes for name in names)
    parts, used = [{} for _ in range(shards)], 0
    for name in names:
        parts[min(shards - 1, used * shards // total)][name] = tensors[name]
        used += tensors[name].nbytes
    index = {"metadata": {"total_size": total}, "weight_map": {}}
    for i, part in enumerate(parts):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        write_tensors(folder / file, part)
        index["weight_map"].update({name: file for name in part})
    index["weight_map"] = dict(sorted(index["weight_map"].items()))
    write_json(folder / "model.safetensors.index.json", index)


def generation_config(family: str) -> dict:
    """The values published instruction checkpoints have, with our ids."""
    ids = tokenizer.special_token_ids()
    stops = {"bos_token_id": ids["<|endoftext|>"], "pad_token_id": ids["<|endoftext|>"], "do_sample": True}
    stops["eos_token_id"] = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    if family == "qwen2_5_vl":
        return {**stops, "repetition_penalty": 1.05, "temperature": 0.000001, "transformers_version": "4.49.0"}
    if family == "qwen2_vl":
        return {**stops, "temperature": 0.01, "top_k": 1, "top_p": 0.001, "transformers_version": "4.45.0.dev0"}
    return {**stops, "repetition_penalty": 1.1, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "transformers_version": "4.37.0"}


def make_nested(source: Path, folder: Path) -> None:
    """config.json alone, as versions 4.52 to 4.57 saved it: text fields both nested and at the top, `rope_scaling` of type
    `default`, the outer model type in the vision part."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = json.loads((source / "config.json").read_text())
    text = {name: config[name] for name in [*TEXT, "bos_token_id", "eos_token_id"] if name != "transformers_version"}
    rope = {"rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"}}
    nested = {"model_type": f"{config['model_type']}_text", **text, **rope, "sliding_window": None}
    nested["layer_types"] = ["full_attention"] * TEXT["num_hidden_layers"]
    vision = {**config["vision_config"], "model_type": config["model_type"], "initializer_range": 0.02, "in_channels": 3}
    changed = {**config, **rope, "text_config": nested, "vision_config": vision, "transformers_version": "4.53.1"}
    write_json(folder / "config.json", changed)


def make_sliding(source: Path, folder: Path) -> None:
    """config.json alone: the text family with a sliding window in its second layer, shorter than the case it runs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = json.loads((source / "config.json").read_text())
    write_json(folder / "config.json", {**config, "use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1})


def make_saved(reference, folder: Path) -> None:
    """The configuration files `save_pretrained` writes today, without weights: those are the published family's, under
    the module paths of today's library (`todays_name`), and are put beside these files by whoever needs them."""
    shutil.rmtree(folder, ignore_errors=True)
    reference.model.config.save_pretrained(folder)
    reference.model.generation_config.save_pretrained(folder)
    reference.processor.save_pretrained(folder)
    tokenizer.train().save(str(folder / "tokenizer.json"), pretty=False)


def todays_name(name: str) -> str:
    """The module path of a published key in today's library; some trainers save under it."""
    if name.startswith("visual."):
        return f"model.{name}"
    return name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else name


def make(family: str, folder: Path) -> None:
    """Writes one checkpoint directory in the published layout."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(folder / "config.json", published_config(family))
    write_json(folder / "generation_config.json", generation_config(family))
    tokenizer.write(folder, family)
    if family != "qwen2":
        write_json(folder / "preprocessor_config.json", PREPROCESSOR)
    write_shards(folder, weights(family, folder), {"qwen2_vl": 3, "qwen2_5_vl": 2, "qwen2": 1}[family])
