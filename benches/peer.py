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
    case = {"frames": frames, "model": model, "first": first}[sys.argv[1]]
    print(json.dumps(case(*sys.argv[2:])))
