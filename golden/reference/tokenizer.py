"""Trains a small byte-level BPE on our own sentences and writes it with a chat template in the family's file layout.

Pre-tokenizer, normaliser and special tokens are the family's; vocabulary, ids and template wording are ours. The
template produces the family's wire format.
"""

import json
from functools import lru_cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip
PLAIN_ADDED = ["<tool_call>", "</tool_call>"]
CORPUS = [
    "You are a helpful assistant. The system, the user and the assistant take turns.",
    "What is the wearer holding in the picture? A yellow disc moves across the video.",
    "Where did I leave my keys? They are on the table in the kitchen, next to the cup.",
    "Think first, then answer: <think>the disc goes round the room</think> <answer>B</answer>",
    "Describe what happens in the first clip and in the second clip, and how they differ.",
    "It's 12:34 and we've counted 5 frames; they're 0.5 seconds apart, aren't they?",
    "Das Bild zeigt eine Küche. La cocina está vacía. 厨房里有一个杯子。",
] * 4

VISION_TEMPLATE = """\
{%- macro medium(kind, number) -%}
{%- if add_vision_id is defined and add_vision_id %}{{ 'Picture ' if kind == 'image' else 'Video ' }}{{ number }}: {% endif -%}
<|vision_start|><|{{ kind }}_pad|><|vision_end|>
{%- endmacro -%}
{%- set seen = namespace(images=0, videos=0) -%}
{%- if messages[0].role != 'system' %}{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif -%}
{%- for turn in messages -%}
{{ '<|im_start|>' ~ turn.role ~ '\\n' }}
{%- if turn.content is string -%}
{{ turn.content }}
{%- else -%}
{%- for part in turn.content -%}
{%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}
{%- set seen.images = seen.images + 1 -%}
{{ medium('image', seen.images) }}
{%- elif part.type == 'video' or 'video' in part -%}
{%- set seen.videos = seen.videos + 1 -%}
{{ medium('video', seen.videos) }}
{%- elif 'text' in part -%}
{{ part.text }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif -%}
"""

TEXT_TEMPLATE = """\
{%- if messages[0]['role'] == 'system' %}{% set lead = messages[0]['content'] %}{% set rest = messages[1:] -%}
{%- else %}{% set lead = 'You are a helpful assistant.' %}{% set rest = messages %}{% endif -%}
{{- '<|im_start|>system\\n' + lead }}
{%- if tools %}{{ '\\n\\n# Tools\\n' }}{% for tool in tools %}{{ '\\n' }}{{ tool | tojson }}{% endfor %}{% endif -%}
{{- '<|im_end|>\\n' }}
{%- for turn in rest -%}
{{- '<|im_start|>' + turn['role'] + '\\n' + turn['content'] + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif -%}
"""


@lru_cache(maxsize=1)
def train() -> Tokenizer:
    """Byte-level BPE: 256 bytes, a hundred merges, then the added tokens."""
    bpe = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False))
    bpe.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=380, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(CORPUS, trainer)
    bpe.add_special_tokens(SPECIAL)
    bpe.add_tokens(PLAIN_ADDED)
    return bpe


def special_token_ids() -> dict[str, int]:
    """Added tokens by content."""
    return {token: train().token_to_id(token) for token in SPECIAL + PLAIN_ADDED}


def tokenizer_config(template: str | None) -> dict:
    """tokenizer_config.json as published instruction checkpoints have it."""
    added = {
        str(number): {
            "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": token in SPECIAL,
        }
        for token, number in special_token_ids().items()
    }  # fmt: skip
    config = {
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "additional_special_tokens": SPECIAL[1:],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 4096,
        "pad_token": "<|endoftext|>",
        "padding_side": "left",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    if template is not None:
        config["chat_template"] = template
    return config


def write(folder: Path, family: str) -> None:
    """tokenizer.json, tokenizer_config.json, and the template where this family's variant keeps it."""
    train().save(str(folder / "tokenizer.json"), pretty=False)
    inline = TEXT_TEMPLATE if family == "qwen2" else None
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(inline), indent=1, ensure_ascii=False) + "\n")
    if family == "qwen2_vl":
        (folder / "chat_template.json").write_text(json.dumps({"chat_template": VISION_TEMPLATE}, indent=1) + "\n")
    if family == "qwen2_5_vl":
        (folder / "chat_template.jinja").write_text(VISION_TEMPLATE)
