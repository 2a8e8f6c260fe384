"""The official OpenAI client for Python, unmodified, against a server: python openai_client.py URL FOLDER.

FOLDER holds clip.mp4 and photo.jpg. Prints one line of JSON with what it saw."""

import base64
import json
import sys
from enum import Enum
from typing import Annotated, Literal, Optional, Union

from openai import BadRequestError, NotFoundError, OpenAI, pydantic_function_tool
from pydantic import BaseModel, Field

url, folder = sys.argv[1], sys.argv[2]
client = OpenAI(base_url=url + "/v1", api_key="a-long-secret", max_retries=0)
seen = {}


def words(*parts):
    return [{"role": "user", "content": list(parts)}]


def text(said):
    return {"type": "text", "text": said}


def inline(kind, name):
    with open(f"{folder}/{name}", "rb") as file:
        return f"data:{kind};base64," + base64.b64encode(file.read()).decode()


model = client.models.list().data[0].id
assert client.models.retrieve(model).id == model
seen["model"] = model

question = words(text("where is the red cup ?"))
whole = client.chat.completions.create(model=model, messages=question, max_tokens=16)
chunks = list(
    client.chat.completions.create(
        model=model, messages=question, max_tokens=16, stream=True, stream_options={"include_usage": True}
    )
)
streamed = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
assert streamed == whole.choices[0].message.content, (streamed, whole)
for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
    assert getattr(chunks[-1].usage, count) == getattr(whole.usage, count), (chunks[-1].usage, whole.usage)
seen["text"] = streamed

image = {"type": "image_url", "image_url": {"url": inline("image/jpeg", "photo.jpg")}}
looked = client.chat.completions.create(model=model, messages=words(image, text("what is this ?")), max_tokens=8)
assert looked.usage.prompt_tokens_details.image_tokens > 0, looked.usage
assert len(looked.firsthand["manifest"]["media"]) == 1

with open(f"{folder}/clip.mp4", "rb") as file:
    upload = client.files.create(file=file, purpose="vision")
assert client.files.retrieve(upload.id).bytes == upload.bytes
assert upload.id in [known.id for known in client.files.list()]
video = {"type": "video_url", "video_url": {"url": upload.id}}
size = {"max_pixels": 6272, "min_pixels": 3136}
watched = client.chat.completions.create(
    model=model, messages=words(video, text("what moves ?")), max_tokens=8, extra_body={"frames": 4, **size}
)
frames = watched.firsthand["manifest"]["media"][0]["frames"]
assert len(frames) == 4, frames
pictures = [inline("image/jpeg", "photo.jpg")] * 2
listed = {"type": "video_url", "video_url": pictures, "timestamps": [1.5, 4.0], **size}
told = client.chat.completions.create(model=model, messages=words(listed, text("what ?")), max_tokens=4)
times = [frame["time"]["ticks"] for frame in told.firsthand["manifest"]["media"][0]["frames"]]
assert times == [1_500_000, 4_000_000], times
assert client.files.delete(upload.id).deleted
try:
    client.chat.completions.create(model=model, messages=words(video), max_tokens=4)
    raise SystemExit("a deleted file was opened")
except NotFoundError as error:
    assert error.code == "not_found", error

vectors = client.embeddings.create(model=model, input=["the red cup", "the red mug", "a blue door"]).data
assert [vector.index for vector in vectors] == [0, 1, 2]
length = sum(value * value for value in vectors[0].embedding)
assert abs(length - 1) < 1e-3, length
seen["width"] = len(vectors[0].embedding)


class Place(BaseModel):
    thing: str
    rooms: list[str]
    count: int


strict = {
    "type": "json_schema",
    "json_schema": {
        "name": "place",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "thing": {"type": "string", "enum": ["cup", "lamp"]},
                "rooms": {"type": "array", "items": {"enum": ["kitchen", "hall"]}, "minItems": 1, "maxItems": 2},
                "count": {"type": "integer", "minimum": 0, "maximum": 9},
            },
            "required": ["thing", "rooms", "count"],
            "additionalProperties": False,
        },
    },
}
for temperature in (0, 1.5):
    shaped = client.chat.completions.create(
        model=model, messages=question, response_format=strict, temperature=temperature, max_tokens=200
    )
    assert shaped.choices[0].finish_reason == "stop", shaped
    place = Place.model_validate_json(shaped.choices[0].message.content)
    assert place.thing in ("cup", "lamp") and 1 <= len(place.rooms) <= 2 and 0 <= place.count <= 9, place

look = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "look at a moment",
        "parameters": {
            "type": "object",
            "properties": {"room": {"enum": ["kitchen", "hall"]}},
            "required": ["room"],
            "additionalProperties": False,
        },
    },
}
called = client.chat.completions.create(
    model=model, messages=question, tools=[look], tool_choice="required", max_tokens=100
)
call = called.choices[0].message.tool_calls[0]
assert called.choices[0].finish_reason == "tool_calls" and call.function.name == "look", called
assert json.loads(call.function.arguments)["room"] in ("kitchen", "hall"), call
pieces = client.chat.completions.create(
    model=model, messages=question, tools=[look], tool_choice="required", max_tokens=100, stream=True
)
deltas = [piece.choices[0].delta.tool_calls for piece in pieces if piece.choices[0].delta.tool_calls]
assert deltas[0][0].function.arguments == call.function.arguments, deltas
answered = [
    *question,
    called.choices[0].message.model_dump(exclude_none=True, exclude={"refusal", "annotations"}),
    {"role": "tool", "tool_call_id": call.id, "content": "a cup"},
]
client.chat.completions.create(model=model, messages=answered, tools=[look], tool_choice="none", max_tokens=4)



class Room(str, Enum):
    KITCHEN = "kitchen"
    HALL = "hall"


class Near(BaseModel):
    room: Room
    sure: bool


class Wait(BaseModel):
    kind: Literal["wait"]


class Go(BaseModel):
    kind: Literal["go"]
    to: Room


class Look(BaseModel):
    near: Near = Field(description="what is near")
    then: Annotated[Union[Wait, Go], Field(discriminator="kind")]
    rooms: set[Room] = Field(max_length=2)


class Path(BaseModel):
    room: Room
    following: Optional["Path"]


parsed = client.chat.completions.parse(
    model=model,
    messages=question,
    tools=[pydantic_function_tool(Look)],
    tool_choice={"type": "function", "function": {"name": "Look"}},
    max_tokens=300,
)
found = parsed.choices[0].message.tool_calls[0].function.parsed_arguments
assert isinstance(found, Look) and isinstance(found.near.room, Room), parsed
both = [pydantic_function_tool(Near), pydantic_function_tool(Path)]
for seed in range(2):
    several = client.chat.completions.create(
        model=model, messages=question, tools=both, tool_choice="required", max_tokens=200, seed=seed, temperature=1.5
    ).choices[0]
    function = several.message.tool_calls[0].function
    if several.finish_reason == "tool_calls":
        {"Near": Near, "Path": Path}[function.name].model_validate_json(function.arguments)
placed = client.chat.completions.parse(model=model, messages=question, response_format=Near, max_tokens=100)
assert isinstance(placed.choices[0].message.parsed, Near), placed
bare = {"type": "function", "function": {"name": "stay"}}
for function in ({}, {"parameters": None}, {"parameters": {}}, {"parameters": {"properties": {"room": {"enum": ["hall"]}}, "required": ["room"], "additionalProperties": False}}):
    tool = {"type": "function", "function": {"name": "stay", **function}}
    stayed = client.chat.completions.create(model=model, messages=question, tools=[tool], tool_choice="required", max_tokens=80)
    arguments = stayed.choices[0].message.tool_calls[0].function.arguments
    assert json.loads(arguments) in ({}, {"room": "hall"}), (function, arguments)

# A call that is cut is a call, however it is asked for.
few = {"model": model, "tools": [look], "tool_choice": "required"}
cut = client.chat.completions.create(**few, messages=question, max_tokens=9).choices[0]
assert cut.finish_reason == "length" and cut.message.content is None, cut
assert cut.message.tool_calls[0].function.name == "look", cut
pieces = list(client.chat.completions.create(**few, messages=question, max_tokens=9, stream=True))
deltas = [piece.choices[0].delta.tool_calls for piece in pieces if piece.choices[0].delta.tool_calls]
assert deltas[0][0].function.arguments == cut.message.tool_calls[0].function.arguments, deltas
assert pieces[-1].choices[0].finish_reason == "length", pieces
flat_look = {"type": "function", **look["function"]}
item = client.responses.create(
    model=model, input="where is the red cup ?", tools=[flat_look], tool_choice="required", max_output_tokens=16
)
assert item.status == "incomplete" and item.output[0].type == "function_call", item
assert item.output[0].status == "incomplete" and item.output[0].name == "look", item

# What a token is made of makes up the text.
told = client.chat.completions.create(
    model=model, messages=question, max_tokens=16, temperature=0.7, seed=3, logprobs=True, top_logprobs=2
).choices[0]
said = b"".join(bytes(token.bytes) for token in told.logprobs.content)
assert said.decode().removesuffix("<|im_end|>") == told.message.content, (said, told.message.content)

# One history has the same tokens whichever way it is sent.
made = lambda number: {"id": f"c{number}", "type": "function", "function": {"name": "look", "arguments": '{"room": "hall"}'}}
history = [
    {"role": "user", "name": "anna", "content": "where ?"},
    {"role": "assistant", "content": None, "tool_calls": [made(1), made(2)]},
    {"role": "tool", "tool_call_id": "c1", "content": "a cup"},
    {"role": "tool", "tool_call_id": "c2", "content": "nothing"},
]
items = [
    {"role": "user", "content": "where ?"},
    *({"type": "function_call", "call_id": f"c{n}", "name": "look", "arguments": '{"room": "hall"}'} for n in (1, 2)),
    {"type": "function_call_output", "call_id": "c1", "output": "a cup"},
    {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "nothing"}]},
]
whole = client.chat.completions.create(model=model, messages=history, max_tokens=4, extra_body={"prompt_text": True})
prompt = whole.firsthand["prompt_text"]
assert '{"name": "look", "arguments": {"room": "hall"}}' in prompt and "anna" not in prompt, prompt
results = "<|im_start|>user\n<tool_response>\na cup\n</tool_response>\n<tool_response>\nnothing\n</tool_response><|im_end|>"
assert results in prompt, prompt
same = client.responses.create(
    model=model, input=items, max_output_tokens=4, metadata={"a": "b"}, temperature=0.5, instructions=None
)
assert same.usage.input_tokens == whole.usage.prompt_tokens, (same, whole)
assert same.metadata == {"a": "b"} and same.temperature == 0.5 and same.tool_choice == "auto", same
# What means "off" elsewhere is taken.
off = {"top_k": -1, "min_p": 0, "mm_processor_kwargs": {}, "chat_template_kwargs": {}, "skip_special_tokens": True, "repetition_penalty": 1}
client.chat.completions.create(model=model, messages=question, max_tokens=1, parallel_tool_calls=False, tools=[look], extra_body=off)
try:
    client.chat.completions.create(model=model, messages=question, extra_body={"min_p": 0.1})
    raise SystemExit("min_p was taken")
except BadRequestError as error:
    assert error.param == "min_p", error
lost = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}
try:
    tools = [look, {"type": "function", "function": {"name": "lost", "parameters": lost}}]
    client.chat.completions.create(model=model, messages=question, tools=tools, tool_choice="required")
    raise SystemExit("a pointer to nowhere was followed")
except BadRequestError as error:
    assert error.param == "tools[1].function.parameters", error
try:
    client.responses.create(model=model, input=[items[0], {"role": "user", "content": [{"type": "input_file"}]}])
    raise SystemExit("a file was read")
except BadRequestError as error:
    assert error.param.startswith("input[1].content[0]"), error

response = client.responses.create(model=model, input="where is the red cup ?", max_output_tokens=16)
assert response.output_text == streamed, response
with client.responses.stream(model=model, input="where is the red cup ?", max_output_tokens=16) as stream:
    events = list(stream)
    final = stream.get_final_response()
assert final.output_text == streamed and final.usage.total_tokens == response.usage.total_tokens, final
assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == streamed, events
kinds = [event.type for event in events]
assert kinds[0] == "response.created" and kinds[-1] in ("response.completed", "response.incomplete"), kinds
flat = {"type": "function", "strict": True, **look["function"]}
forced = {"model": model, "input": "where is the red cup ?", "tools": [flat], "tool_choice": "required"}
events = list(client.responses.create(**forced, max_output_tokens=100, stream=True))
done = [event for event in events if event.type == "response.function_call_arguments.done"]
assert done[0].arguments == call.function.arguments, events
assert events[-1].response.output[0].name == "look", events[-1]
assert [event.sequence_number for event in events] == list(range(len(events)))

try:
    client.chat.completions.create(model=model, messages=question, logit_bias={"5": 10})
    raise SystemExit("a field without effect was taken")
except BadRequestError as error:
    assert error.param == "logit_bias", error
print(json.dumps(seen))
