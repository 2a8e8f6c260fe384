"""The reference call path: messages -> rendered prompt -> qwen-vl-utils -> processor -> model.

Two arguments differ from the library's own examples, because version 5.23 needs them (golden/README.md, "Facts"):
`do_resize=False`, and `video_metadata` in place of the `fps` list.
"""

from dataclasses import dataclass, field

import torch
from qwen_vl_utils import process_vision_info
from qwen_vl_utils.vision_process import extract_vision_info
from torchcodec.decoders import VideoDecoder
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer


@dataclass
class Prepared:
    """One conversation as the model takes it."""

    prompt: str
    inputs: dict[str, torch.Tensor]
    pictures: list = field(default_factory=list)  # PIL, resized
    videos: list = field(default_factory=list)  # float [t, 3, h, w] holding whole numbers
    metadata: list[dict] = field(default_factory=list)
    times: list[list[float] | None] = field(default_factory=list)


class Reference:
    """A checkpoint opened by the reference library."""

    def __init__(self, folder, dtype: torch.dtype = torch.float32, attention: str = "sdpa"):
        self.config = AutoConfig.from_pretrained(folder)
        self.is_text = not hasattr(self.config, "vision_config")
        maker = AutoModelForCausalLM if self.is_text else AutoModelForImageTextToText
        self.processor = (AutoTokenizer if self.is_text else AutoProcessor).from_pretrained(folder)
        self.model = maker.from_pretrained(folder, dtype=dtype, attn_implementation=attention).eval()

    def render(self, messages: list[dict]) -> str:
        return self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    def prepare(self, messages: list[dict]) -> Prepared:
        """One conversation."""
        return self.prepare_batch([messages])

    def prepare_batch(self, conversations: list[list[dict]]) -> Prepared:
        """Conversations as one batch, padded on the left when they differ in length."""
        prompts = [self.render(messages) for messages in conversations]
        if self.is_text:
            inputs = self.processor(prompts, padding=True, return_tensors="pt")
            return Prepared("".join(prompts), dict(inputs))
        pictures, videos, options = process_vision_info(
            conversations, return_video_kwargs=True, return_video_metadata=True
        )
        pictures, videos = pictures or [], videos or []
        metadata = [data for _, data in videos]
        videos = [frames for frames, _ in videos]
        if videos:
            options["video_metadata"] = [dict(data) for data in metadata]
        else:
            options = {}
        if pictures or videos:
            options["do_resize"] = False
        inputs = self.processor(
            text=prompts, images=pictures or None, videos=videos or None, padding=True, return_tensors="pt", **options
        )
        elements = [e for e in extract_vision_info(conversations) if "video" in e]
        times = [frame_times(e["video"], data["frames_indices"]) for e, data in zip(elements, metadata)]
        return Prepared("".join(prompts), dict(inputs), pictures, videos, metadata, times)

    def positions(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """`[3, batch, n]` for the vision-language families, `[1, batch, n]` for text-only ones."""
        mask = inputs["attention_mask"]
        plain = (mask.cumsum(-1) - 1).clamp(min=0)
        if self.is_text:
            return plain[None]
        if "image_grid_thw" not in inputs and "video_grid_thw" not in inputs:
            return plain[None].expand(3, -1, -1)
        names = ["mm_token_type_ids", "image_grid_thw", "video_grid_thw", "second_per_grid_ts", "attention_mask"]
        return self.model.model.get_rope_index(inputs["input_ids"], **{k: inputs[k] for k in names if k in inputs})[0]

    def forward(self, inputs: dict[str, torch.Tensor], positions: torch.Tensor, **more):
        """A whole-sequence pass with the positions given."""
        names = ["input_ids", "attention_mask", "pixel_values", "pixel_values_videos", "image_grid_thw", "video_grid_thw"]
        given = {k: inputs[k] for k in names if k in inputs}
        return self.model(**given, position_ids=positions[0] if self.is_text else positions, **more)

    @torch.no_grad()
    def greedy(self, inputs: dict[str, torch.Tensor], count: int) -> tuple[list[int], float]:
        """Plain argmax with a key-value cache, no stop token; also the smallest lead of a winner over the runner-up."""
        positions = self.positions(inputs)
        assert inputs["input_ids"].shape[0] == 1
        out = self.forward(inputs, positions, use_cache=True)
        following = int(positions.max()) + 1
        mask, ids, margin = inputs["attention_mask"], [], float("inf")
        for i in range(count):
            best = out.logits[0, -1].float().topk(2)
            ids.append(int(best.indices[0]))
            margin = min(margin, float(best.values[0] - best.values[1]))
            if i + 1 == count:
                break
            mask = torch.cat([mask, mask.new_ones(1, 1)], dim=1)
            step = torch.full_like(positions[..., :1], following + i)
            token = torch.tensor([[ids[-1]]])
            out = self.model(
                input_ids=token, attention_mask=mask, position_ids=step[0] if self.is_text else step,
                past_key_values=out.past_key_values, use_cache=True,
            )  # fmt: skip
        return ids, margin


def frame_times(source, indices: list[int]) -> list[float] | None:
    """Presentation times of the chosen frames; none for a list of images."""
    if not isinstance(source, str):
        return None
    return VideoDecoder(source).get_frames_at(indices=indices).pts_seconds.tolist()
