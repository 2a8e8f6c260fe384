"""The checkpoint behind a plain server of transformers: python peer_server.py MODEL PORT.

FastAPI and `generate`, as the libraries' documentation shows, with two threads and one request at a time."""

import base64
import io
import os
import sys
import tempfile
import threading
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
import uvicorn
from fastapi import FastAPI
from qwen_vl_utils import process_vision_info

model_dir, port = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(2)
kind = {
    "qwen2_vl": transformers.Qwen2VLForConditionalGeneration,
    "qwen2_5_vl": transformers.Qwen2_5_VLForConditionalGeneration,
}[transformers.AutoConfig.from_pretrained(model_dir).model_type]
model = kind.from_pretrained(model_dir, dtype=torch.float32).eval()
processor = transformers.AutoProcessor.from_pretrained(model_dir)
app, turn = FastAPI(), threading.Lock()


def local(part, files):
    """An OpenAI part in the reference format, inline media as files."""
    name = part["type"].removesuffix("_url")
    if name == "text":
        return part
    head, body = part[part["type"]]["url"].split(",", 1)
    file = tempfile.NamedTemporaryFile(suffix="." + head.split("/")[1].split(";")[0])
    file.write(base64.b64decode(body))
    file.flush()
    files.append(file)
    sizes = {key: part[key] for key in ("nframes", "min_pixels", "max_pixels") if key in part}
    return {"type": name, name: file.name, **sizes}


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/v1/chat/completions")
def chat(request: dict):
    files = []
    messages = [
        {**message, "content": [local(part, files) for part in message["content"]]} for message in request["messages"]
    ]
    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    images, videos = process_vision_info(messages)
    more = {"do_resize": False} if images or videos else {}
    if videos:
        more["do_sample_frames"] = False
    inputs = processor(text=[text], images=images, videos=videos, return_tensors="pt", **more)
    with turn, torch.inference_mode():
        output = model.generate(**inputs, do_sample=False, max_new_tokens=request["max_tokens"])
    new = output[0, inputs["input_ids"].shape[1] :]
    answer = processor.decode(new, skip_special_tokens=True)
    message = {"role": "assistant", "content": answer}
    usage = {"prompt_tokens": inputs["input_ids"].shape[1], "completion_tokens": len(new)}
    return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
