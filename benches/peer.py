"""The reference side of every measured ratio: one case per call, seconds per repetition as one JSON line.

It uses the reference libraries the way their documentation shows, with two threads, after one warm-up, and
prefers the faster of two ways where there are two (a plain cached loop instead of `generate`).
"""

import json
import os
import sys
import time

THREADS = 2
os.environ.setdefault("TORCHCODEC_NUM_THREADS", str(THREADS))
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def repeat(times, work):
    work()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def load(model_dir, dtype):
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(model_dir)
    kind = {
        "qwen2": transformers.AutoModelForCausalLM,
        "qwen2_vl": transformers.Qwen2VLForConditionalGeneration,
        "qwen2_5_vl": transformers.Qwen2_5_VLForConditionalGeneration,
    }[config.model_type]
    return kind.from_pretrained(model_dir, dtype=getattr(torch, dtype)).eval()


def picture_inputs(processor, messages):
    from qwen_vl_utils import process_vision_info

    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    images, _ = process_vision_info(messages)
    return processor(text=[text], images=images, do_resize=False, return_tensors="pt")


def frames(model_dir, video, count):
    """Video file to normalised patches: qwen-vl-utils with torchcodec, then the library's video processor."""
    from qwen_vl_utils import fetch_video
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(model_dir).video_processor
    element = {"type": "video", "video": video, "nframes": int(count)}

    def work():
        pixels = fetch_video(element)
        return processor(videos=[pixels], do_resize=False, do_sample_frames=False, return_tensors="pt")

    return {"seconds": repeat(3, work)}


def long(model_dir, video, count):
    """The same once, with torchcodec in its exact mode asked for the very frames, as qwen-vl-utils asks it, then the
    sizes of qwen-vl-utils and the library's video processor; the most memory held and the bytes read."""
    import resource

    import torch
    from qwen_vl_utils.vision_process import FRAME_FACTOR, smart_resize
    from torchcodec.decoders import VideoDecoder
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import resize
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(model_dir).video_processor

    def bytes_read():
        with open("/proc/self/io") as file:
            return int(next(line for line in file if line.startswith("rchar:")).split()[1])

    before, start = bytes_read(), time.perf_counter()
    decoder = VideoDecoder(video, num_ffmpeg_threads=THREADS, seek_mode="exact")
    total = decoder.metadata.num_frames
    indices = torch.linspace(0, total - 1, int(count)).round().long().tolist()
    pixels = decoder.get_frames_at(indices=indices).data
    most = max(min(768 * 28 * 28, 128000 * 28 * 28 * 0.9 / len(indices) * FRAME_FACTOR), 128 * 28 * 28 * 1.05)
    height, width = smart_resize(*pixels.shape[-2:], factor=28, min_pixels=128 * 28 * 28, max_pixels=int(most))
    pixels = resize(pixels, [height, width], interpolation=InterpolationMode.BICUBIC, antialias=True).float()
    processor(videos=[pixels], do_resize=False, do_sample_frames=False, return_tensors="pt")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": [seconds], "peak_mib": [peak], "read_mib": [(bytes_read() - before) / 2**20]}


def model(model_dir, dtype, prompt, new):
    """Prefill of `prompt` tokens, then `new` greedy tokens one at a time, batch 1."""
    import torch

    network = load(model_dir, {"f32": "float32", "bf16": "bfloat16"}[dtype])
    ids = torch.arange(int(prompt))[None] * 7 % 1000 + 5
    prefill, decode = [], []
    with torch.inference_mode():
        for _ in range(4):
            start = time.perf_counter()
            out = network(input_ids=ids, use_cache=True, logits_to_keep=1)
            token = out.logits[:, -1:].argmax(-1)
            prefill.append(time.perf_counter() - start)
            start = time.perf_counter()
            for _ in range(int(new)):
                out = network(input_ids=token, past_key_values=out.past_key_values, use_cache=True)
                token = out.logits[:, -1:].argmax(-1)
            decode.append((time.perf_counter() - start) / int(new))
    return {"prefill": prefill[1:], "decode": decode[1:]}


class Network:
    """The text model in plain torch, from its checkpoint: quicker than the library's own module, and all that
    eager torch with its fused attention can do."""

    def __init__(self, model_dir):
        import safetensors.torch
        import torch

        with open(os.path.join(model_dir, "config.json")) as file:
            config = json.load(file)
        weights = safetensors.torch.load_file(os.path.join(model_dir, "model.safetensors"))
        self.weights = {name: torch.nn.Parameter(value) for name, value in weights.items()}
        self.layers, self.heads = config["num_hidden_layers"], config["num_attention_heads"]
        self.epsilon = config["rms_norm_eps"]
        dim = config["hidden_size"] // self.heads
        frequencies = config["rope_theta"] ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
        angles = torch.arange(256)[:, None] * frequencies
        self.cos, self.sin = (part(torch.cat([angles, angles], -1)).float() for part in (torch.cos, torch.sin))

    def linear(self, x, name):
        import torch

        return torch.nn.functional.linear(x, self.weights[name + ".weight"], self.weights.get(name + ".bias"))

    def norm(self, x, name):
        import torch

        return torch.nn.functional.rms_norm(x, x.shape[-1:], self.weights[name + ".weight"], self.epsilon)

    def turn(self, x):
        import torch

        a, b = x.chunk(2, -1)
        return x * self.cos + torch.cat([-b, a], -1) * self.sin

    def heads_of(self, x, name):
        return self.linear(x, name).unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def loss(self, ids):
        import torch.nn.functional as F

        x = F.embedding(ids, self.weights["model.embed_tokens.weight"])
        for i in range(self.layers):
            layer = f"model.layers.{i}."
            h = self.norm(x, layer + "input_layernorm")
            q, k, v = (self.heads_of(h, f"{layer}self_attn.{part}_proj") for part in "qkv")
            y = F.scaled_dot_product_attention(self.turn(q), self.turn(k), v, is_causal=True)
            x = x + self.linear(y.transpose(1, 2).flatten(2), layer + "self_attn.o_proj")
            h = self.norm(x, layer + "post_attention_layernorm")
            h = F.silu(self.linear(h, layer + "mlp.gate_proj")) * self.linear(h, layer + "mlp.up_proj")
            x = x + self.linear(h, layer + "mlp.down_proj")
        logits = self.linear(self.norm(x, "model.norm"), "lm_head")[:, :-1]
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def train(model_dir, matmul, steps):
    """Steps of AdamW on 16 sequences of 256 tokens, after two to warm up."""
    import resource

    import torch

    network = Network(model_dir)
    optimizer = torch.optim.AdamW(network.weights.values(), lr=1e-3, weight_decay=0.01, fused=True)
    ids = (torch.arange(16 * 256) * 2654435761 % 2**32 >> 16).view(16, 256) % 2000
    seconds, losses = [], []
    for _ in range(int(steps) + 2):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=matmul == "bf16"):
            loss = network.loss(ids)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"step": seconds[2:], "losses": losses, "peak_mib": [peak]}


def rl(model_dir, rows_file, group, batch, tokens, steps):
    """Steps of TRL's GRPO trainer with a reference, after one to warm up: seconds for each sample."""
    import resource
    import tempfile

    import datasets
    import transformers
    import trl

    with open(rows_file) as file:
        prompts = [json.loads(line)["messages"][:1] for line in file]
    group, batch, tokens, steps = int(group), int(batch), int(tokens), int(steps)
    ends = []

    class Clock(transformers.TrainerCallback):
        def on_step_begin(self, *_, **__):
            if not ends:
                ends.append(time.perf_counter())

        def on_step_end(self, *_, **__):
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        config = trl.GRPOConfig(
            output_dir=folder,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            per_device_train_batch_size=group * batch,
            num_generations=group,
            max_completion_length=tokens,
            max_steps=steps + 1,
            learning_rate=1e-6,
            beta=0.04,
            temperature=1.0,
            save_strategy="no",
            report_to=[],
        )
        trainer = trl.GRPOTrainer(
            model=load(model_dir, "float32").train(),
            processing_class=transformers.AutoTokenizer.from_pretrained(model_dir),
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            args=config,
            train_dataset=datasets.Dataset.from_dict({"prompt": prompts}),
            callbacks=[Clock()],
        )
        trainer.train()
    seconds = [(after - before) / (group * batch) for before, after in zip(ends, ends[1:])]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"sample": seconds[1:], "peak_mib": [peak]}


def first(model_dir, messages_file):
    """A whole program: import, load, prepare, one token. The caller times the process."""
    import torch
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(model_dir)
    network = load(model_dir, "float32")
    with open(messages_file) as file:
        messages = json.load(file)
    with torch.inference_mode():
        ids = network.generate(**picture_inputs(processor, messages), max_new_tokens=1, do_sample=False)
    return {"token": int(ids[0, -1])}


if __name__ == "__main__":
    import torch

    torch.set_num_threads(THREADS)
    case = {"frames": frames, "long": long, "model": model, "train": train, "rl": rl, "first": first}[sys.argv[1]]
    print(json.dumps(case(*sys.argv[2:])))
