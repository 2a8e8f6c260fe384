"""Chat templates as tables: what the reference writes of tools, calls and results under templates of every shape, and which
of several template files it takes. The templates are written here, in the shape of published ones."""

import json
import shutil
import tempfile
from pathlib import Path

from transformers import AutoProcessor, AutoTokenizer

from .fixtures import write_json

OPENING = "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"

# Tools, calls and results as Qwen2.5's template has them, images and videos as Qwen2.5-VL's.
HERMES = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content }}{%- else %}{{- 'You are a helpful assistant.' }}{%- endif %}
    {{- "\\n\\n# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\nYou are provided with function signatures within <tools></tools> XML tags:\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n\\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\\n<tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args-json-object>}\\n</tool_call><|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- message.content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
""" + OPENING

# Results carry the function's name, calls are whole objects.
NAMED = """{%- macro tell(message) -%}
{%- if message.content is string -%}{{ message.content }}{%- else -%}{%- for part in message.content -%}{{ part.text }}{%- endfor -%}{%- endif -%}
{%- endmacro -%}
{%- if tools %}{{- '<|im_start|>system\\n<tools> ' }}{%- for tool in tools %}{{- tool.function | tojson(indent=2) }}{%- endfor %}{{- ' </tools><|im_end|>\\n' }}{%- endif %}
{%- for message in messages -%}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.role == 'tool' -%}
        {{- '<tool_response>\\n' + {'name': message.name, 'content': tell(message)} | tojson + '\\n</tool_response>' -}}
    {%- else -%}
        {%- if message.content is defined -%}{{- tell(message) -}}{%- endif -%}
        {%- if message.tool_calls is defined -%}
            {%- for call in message.tool_calls -%}{{- '\\n<tool_call>\\n' -}}{{- call.function | tojson -}}{{- '\\n</tool_call>' -}}{%- endfor -%}
        {%- endif -%}
    {%- endif -%}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
""" + OPENING

# One call a turn, tools in the first user's words, results as a role of their own.
LLAMA = """{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if not tools_in_user_message is defined %}{%- set tools_in_user_message = true %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start|>system<|mid|>\\n\\n" }}
{%- if tools is not none %}{{- "Environment: ipython\\n" }}{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" + system_message + "<|eot|>" }}
{%- if tools_in_user_message and not tools is none %}
    {%- if messages | length != 0 %}
        {%- set first_user_message = messages[0]['content']|trim %}
        {%- set messages = messages[1:] %}
    {%- else %}
        {{- raise_exception("Cannot put tools in the first user message when there's no first user message!") }}
    {%- endif %}
    {{- '<|start|>user<|mid|>\\n\\nGiven the following functions, please respond with a JSON for a function call.\\n\\n' }}
    {%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}
    {{- first_user_message + "<|eot|>"}}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start|>' + message['role'] + '<|mid|>\\n\\n'+ message['content'] | trim + '<|eot|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("This model only supports single tool-calls at once!") }}{%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start|>assistant<|mid|>\\n\\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}<|eot|>" }}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start|>ipython<|mid|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- else %}{{- message.content }}{%- endif %}
        {{- "<|eot|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start|>assistant<|mid|>\\n\\n' }}{%- endif %}"""

# Identifiers of nine letters, tools before the last user's words, turns that must alternate.
MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}{{- '"' + key + '": "' + val + '"' }}{%- else %}{{- '"' + key + '": ' + val|tojson }}{%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" }}{%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
            {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}{{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}{%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
            {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- elif message["role"] == "tool_results" or message["role"] == "tool" %}
        {%- if message.content is defined and message.content.content is defined %}{%- set content = message.content.content %}{%- else %}{%- set content = message.content %}{%- endif %}
        {{- '[TOOL_RESULTS] {"content": ' + content|string + ", " }}
        {%- if not message.tool_call_id is defined or message.tool_call_id|length != 9 %}{{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}{%- endif %}
        {{- '"call_id": "' + message.tool_call_id + '"}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- "" if messages[-1].role == 'user' else " " }}{{- "[GO]" }}{%- endif %}"""

# Knows no tools: Qwen2-VL's shape.
PLAIN = """{%- for message in messages %}{%- if loop.first and message.role != 'system' %}{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{%- endif %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string %}{{- message.content }}{%- else %}{%- for part in message.content %}{%- if part.type == 'image' or 'image' in part %}{{- '<|vision_start|><|image_pad|><|vision_end|>' }}{%- elif 'text' in part %}{{- part.text }}{%- endif %}{%- endfor %}{%- endif %}
{{- '<|im_end|>\\n' }}{%- endfor %}
""" + OPENING

TEMPLATES = {"hermes": HERMES, "named": NAMED, "llama": LLAMA, "mistral": MISTRAL}


def look(**more) -> dict:
    """A tool."""
    parameters = {
        "type": "object",
        "properties": {
            "room": {"type": "string", "enum": ["hall", "küche", "浴室"], "description": "which \"room\"\n(one) </tools> 😀"},
            "near": {"anyOf": [{"type": "number", "minimum": 0.5, "maximum": 1e22}, {"type": "null"}], "default": None},
            "deep": {"type": "array", "items": {"$ref": "#/$defs/R"}, "maxItems": 3},
        },
        "required": ["room"],
        "additionalProperties": False,
        "$defs": {"R": {"const": 1e-07}},
    }
    return {"type": "function", "function": {"name": "look", "description": "Looks <around> & back.", "parameters": parameters, **more}}


BARE = {"type": "function", "function": {"name": "wait"}}


def call(name: str, arguments, number: int = 1) -> dict:
    return {"id": f"call0000{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def result(content, number: int = 1) -> dict:
    return {"role": "tool", "tool_call_id": f"call0000{number}", "name": "look", "content": content}


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def said(content, *calls) -> dict:
    turn = {"role": "assistant", "tool_calls": list(calls)}
    return turn if content is None else {**turn, "content": content}


ROOM = {"room": "küche", "near": 1.0, "more": {"z": [], "a": [1, -0.0, 1e16, 1e-5, 123456789012], "q": "\"\\\n\t\x7f</tool_call>"}, "ok": True, "no": None}
TOOLS = {"none": None, "one": [look()], "two": [look(strict=True), BARE]}
CONVERSATIONS = {
    "asked": [user("Where is it?")],
    "with a system turn": [{"role": "system", "content": "Be brief. "}, user("Where is it?")],
    "one call": [user("Where?"), said(None, call("look", ROOM)), result("a red cup"), user("and?")],
    "words and a call": [user("Where?"), said("I look.", call("look", {"room": "hall"})), result("[1, 2]")],
    "empty words": [user("Where?"), said("", call("wait", {})), result("")],
    "two calls": [user("Where?"), said(None, call("look", {"room": "hall"}), call("wait", {}, 2)), result("red"), result("done", 2)],
    "two rounds": [
        {"role": "system", "content": "Be brief."}, user("Where?"), said(None, call("look", {"room": "hall"})), result("nothing"),
        said("Then there.", call("look", {"room": "浴室"}, 2)), result("{\"found\": true}", 2), {"role": "assistant", "content": "There."}, user("Thanks"),
    ],
    "text for arguments": [user("Where?"), said(None, call("look", "{\"room\": ")), result("not JSON")],
}


def rendered(tokenizer, source: str, messages: list, tools) -> str | None:
    try:
        return tokenizer.apply_chat_template(messages, tools=tools, chat_template=source, tokenize=False, add_generation_prompt=True)
    except Exception:
        return None


def tool_table(tokenizer) -> list[list]:
    """Template, tools, messages, the reference's prompt (null where it refuses)."""
    everything = [(*named, *tools) for named in CONVERSATIONS.items() for tools in TOOLS.items()]
    return [[template, name, talk, rendered(tokenizer, source, messages, tools)] for template, source in TEMPLATES.items() for talk, messages, name, tools in everything]


def marked(name: str) -> str:
    """A template that says which it is."""
    return "[" + name + "{% if tools %}+{{ tools[0].function.name }}{% endif %}]{% for m in messages %}{{ m.content if m.content is string else m.content[0].text }}{% endfor %}{% if add_generation_prompt %}>{% endif %}"


# Files of a checkpoint that hold templates; the value of a JSON key may be a template, several by name, or null.
PLACES = {
    "key": ("processor_config.json", marked("key")),
    "key by name": ("processor_config.json", {"default": marked("key default"), "other": marked("key other")}),
    "key null": ("processor_config.json", None),
    "json": ("chat_template.json", marked("json")),
    "json by name": ("chat_template.json", {"default": marked("json default"), "tool_use": marked("json tools")}),
    "jinja": ("chat_template.jinja", marked("jinja")),
    "folder default": ("additional_chat_templates/default.jinja", marked("folder default")),
    "folder tools": ("additional_chat_templates/tool_use.jinja", marked("folder tools")),
    "folder other": ("additional_chat_templates/rag.jinja", marked("folder rag")),
    "config": ("tokenizer_config.json", marked("config")),
    "config list": ("tokenizer_config.json", [{"name": "default", "template": marked("config default")}, {"name": "tool_use", "template": marked("config tools")}]),
    "config by name": ("tokenizer_config.json", {"tool_use": marked("config tools"), "default": marked("config default")}),
}
SETS = [
    [], ["key"], ["key by name"], ["json"], ["json by name"], ["jinja"], ["config"], ["config list"], ["config by name"], ["folder default"], ["folder tools"],
    ["key", "json"], ["key", "jinja"], ["key null", "jinja"], ["key", "config"], ["json", "jinja"], ["json", "config"], ["jinja", "config"],
    ["jinja", "config list"], ["jinja", "folder tools"], ["jinja", "folder default"], ["jinja", "folder other"], ["json", "folder tools"],
    ["key", "json", "folder tools"], ["config", "folder tools"], ["config", "folder default"], ["json", "jinja", "config"],
    ["key", "json", "jinja", "config"], ["folder tools", "folder other"], ["folder default", "folder tools"], ["key null", "json", "config list"],
]


def file_table(root: Path) -> list[list]:
    """Family, files by name, the prompts without and with tools under the template that the reference takes (null: refused)."""
    rows = []
    question = [user("q")]
    for family in ("qwen2_5_vl", "qwen2"):
        for names in SETS:
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary) / "checkpoint"
                shutil.copytree(root / family, folder, ignore=shutil.ignore_patterns("*.safetensors", "chat_template*"))
                files = {}
                for name in names:
                    place, source = PLACES[name]
                    if not place.endswith(".json"):
                        files[place] = source
                    else:
                        files[place] = {"chat_template": source}
                for place in {"tokenizer_config.json", *files}:
                    path = folder / place
                    path.parent.mkdir(exist_ok=True)
                    content = files.get(place, {})
                    if isinstance(content, dict):
                        known = json.loads(path.read_text()) if path.exists() else {}
                        known.pop("chat_template", None)
                        path.write_text(json.dumps({**known, **content}))
                    else:
                        path.write_text(content)
                prompts = []
                for tools in (None, [BARE]):
                    try:
                        opened = (AutoTokenizer if family == "qwen2" else AutoProcessor).from_pretrained(folder)
                        prompts.append(opened.apply_chat_template(question, tools=tools, tokenize=False, add_generation_prompt=True))
                    except Exception:
                        prompts.append(None)
                rows.append([family, files, *prompts])
    return rows


def export(root: Path) -> None:
    tables = root / "tables"
    tokenizer = AutoTokenizer.from_pretrained(root / "qwen2")
    tools = {
        "templates": {**TEMPLATES, "plain": PLAIN},
        "tools": TOOLS,
        "messages": CONVERSATIONS,
        "columns": ["template", "tools", "messages", "prompt"],
        "rows": tool_table(tokenizer),
    }
    write_json(tables / "tool_templates.json", tools)
    write_json(tables / "template_files.json", {"columns": ["family", "files", "prompt", "prompt_with_tools"], "rows": file_table(root)})
