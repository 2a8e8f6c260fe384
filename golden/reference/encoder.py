"""A tiny text encoder with random weights in the sentence-transformers layout, and what the reference library makes of
some texts: ids, one vector per text alone, and the same from one padded batch."""

import shutil
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, BertConfig, BertModel

from . import checkpoints, fixtures

SEED = 21
LONGEST = 20
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = [
    "I pick up the red cup from the table.",
    "Where did I put the keys?",
    "",
    "CAFÉ crème, 7 o'clock!",
    "Anna says: please buy milk and eggs. " * 4,
    "她拿剪刀",
    "zzz",
]


def words() -> list[str]:
    """Pieces that split the texts into known words, parts of words and unknown ones."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?:'"
    whole = ["the", "i", "pick", "up", "red", "cup", "from", "table", "where", "did", "put", "key", "anna", "says", "buy", "milk", "and"]
    return [*SPECIAL, *letters, *(f"##{letter}" for letter in letters if letter.isalnum()), *whole, "##gs", "cre", "##me", "剪"]


def make(folder: Path) -> None:
    """The checkpoint as sentence-transformers publishes them."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "1_Pooling").mkdir(parents=True)
    pieces = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words())}, unk_token="[UNK]"))
    pieces.normalizer = normalizers.BertNormalizer(lowercase=True)
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces.add_special_tokens(SPECIAL)
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    pieces.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", marks)
    # Published files carry the settings of their last use, here other ones than the folder asks for.
    pieces.enable_truncation(12)
    pieces.enable_padding(length=12, pad_id=0, pad_token="[PAD]")
    pieces.save(str(folder / "tokenizer.json"), pretty=False)
    roles = {f"{role}_token": f"[{role.upper()}]" for role in ["pad", "unk", "cls", "sep", "mask"]}
    checkpoints.write_json(folder / "tokenizer_config.json", {**roles, "tokenizer_class": "BertTokenizer", "model_max_length": 512})
    checkpoints.write_json(folder / "sentence_bert_config.json", {"max_seq_length": LONGEST, "do_lower_case": False})
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    checkpoints.write_json(folder / "1_Pooling" / "config.json", pooling)
    config = BertConfig(
        vocab_size=len(words()), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=24, type_vocab_size=2, layer_norm_eps=1e-12,
    )  # fmt: skip
    checkpoints.write_json(folder / "config.json", {**config.to_diff_dict(), "model_type": "bert", "architectures": ["BertModel"]})
    model = BertModel(config, add_pooling_layer=False)
    generator = torch.Generator().manual_seed(SEED)
    for name, parameter in model.named_parameters():
        is_norm_weight = "LayerNorm.weight" in name
        noise = torch.randn(parameter.shape, generator=generator) * (0.1 if "LayerNorm" in name or "bias" in name else 0.25)
        parameter.data = noise + (1.0 if is_norm_weight else 0.0)
    checkpoints.write_tensors(folder / "model.safetensors", {k: v.contiguous() for k, v in model.state_dict().items() if "position_ids" not in k})


def pooled(model: BertModel, batch) -> torch.Tensor:
    """Mean over the tokens that are no padding, of length one."""
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1).float()
    mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
    return torch.nn.functional.normalize(mean, p=2, dim=1)


def export(root: Path) -> None:
    """Checkpoint, texts and vectors."""
    folder = root / "bert"
    make(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    ask = {"truncation": True, "max_length": LONGEST, "return_tensors": "pt"}
    entries = {}
    for i, text in enumerate(TEXTS):
        alone = tokenizer([text], padding=False, **ask)
        entries[f"text.{i}.ids"] = alone["input_ids"][0].numpy().astype(np.int64)
        entries[f"text.{i}.vector"] = pooled(model, alone)[0].numpy()
    entries["batch.vector"] = pooled(model, tokenizer(TEXTS, padding=True, **ask)).numpy()
    fixtures.write(root / "fixtures" / "bert" / "texts.safetensors", entries)
    fixtures.write_json(root / "cases" / "bert.json", TEXTS)
