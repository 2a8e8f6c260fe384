"""Holds `firsthand score --mode compatible` to the published reward functions, on random rows.

    pip install -r golden/rewards.txt
    python golden/rewards.py --firsthand target/release/firsthand --rows 20000 --seed 1 \
        --checkout Video-R1 --checkout Ego-ST --checkout SpatialThinker --checkout EgoThinker --checkout Ego-R1

Each checkout is a clone of a system's repository; which one it is, its files say. The functions are taken out of their
source by name and run as they are: nothing of them is stored here. Rows come from the seed alone. A row on which a
published function raises is expected to have an `error` or 0 from us, and is counted apart; so is one on which its own
time limit ran out (5 s of math-verify), about which nothing is expected. Prints a line per reward: rows, differences,
rows that raised, rows that ran out of time; the first differences go to stderr. Exit code 1 when there are any.

What depends on the machine: `spatialthinker` compares names by spaCy's vectors, which are a download of their own; here
both sides compare names by their letters (pairs of neighbours, Dice), the default of `firsthand`. `reverse-consistency` has
no published code. Bonuses of a group (`video-r1`) stand inside the trainer and are not functions; rows have no group.
"""

import argparse
import ast
import contextlib
import io
import json
import logging
import math
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import datetime
from functools import lru_cache
from pathlib import Path

TOLERANCE = 1e-9
SHOWN = 5


def functions(path, names, given):
    """Functions and constants of a source file, by name, in a namespace of their own."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    kept = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in names:
            kept[node.name] = node
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in names:
            kept[node.targets[0].id] = node
    missing = set(names) - set(kept)
    if missing:
        sys.exit(f"error: {path} has no {', '.join(sorted(missing))}; take a clone of the published repository")
    space = dict(given)
    exec(compile(ast.Module(list(kept.values()), []), str(path), "exec"), space)
    return space


def dice(a, b):
    """Twice the shared pairs of neighbouring letters over all; what `firsthand` compares names by."""

    def pairs(text):
        found = []
        for word in re.split(r"[\W_]+", text):
            letters = list(word)
            found += list(zip(letters, letters[1:])) if len(letters) > 1 else ([(word,)] if word else [])
        return found

    if a == b:
        return 1.0
    one, two = Counter(pairs(a)), Counter(pairs(b))
    total = sum(one.values()) + sum(two.values())
    return 2.0 * sum((one & two).values()) / total if total else 0.0


def load_video_r1(folder):
    from rouge_score import rouge_scorer

    names = ["accuracy_reward", "format_reward"]
    given = {"re": re, "os": os, "datetime": datetime, "rouge_scorer": rouge_scorer}
    space = functions(folder / "src/r1-v/src/open_r1/grpo.py", names, given)

    def score(row):
        replies = [[{"content": row["completion"]}]]
        right = space["accuracy_reward"](replies, [row["solution"]], problem_type=[row["problem_type"]])[0]
        return right + space["format_reward"](replies)[0]

    return {"video-r1": score}


def load_st_r1(folder):
    from math_verify import parse, verify

    given = {"re": re, "os": os, "datetime": datetime, "parse": parse, "verify": verify}
    space = functions(folder / "ST-R1/src/open_r1_video/grpo.py", ["accuracy_reward"], given)
    return {"st-r1": lambda row: space["accuracy_reward"]([[{"content": row["completion"]}]], [row["solution"]])[0]}


def load_spatialthinker(folder):
    import numpy
    from mathruler.grader import extract_boxed_content, grade_answer
    from scipy.optimize import linear_sum_assignment
    from typing import Dict, List

    folder = folder / "verl/utils/reward_score"
    grader = {"re": re, "Dict": Dict, "grade_answer": grade_answer, "extract_boxed_content": extract_boxed_content}
    names = ["math_format_reward", "math_acc_reward", "math_compute_score"]
    maths = functions(folder / "math.py", names, grader)["math_compute_score"]
    names = ["r1v_format_reward", "r1v_accuracy_reward", "r1v_compute_score"]
    r1v = functions(folder / "r1v.py", names, grader)["r1v_compute_score"]
    names = ["r1v_format_reward", "extract_answer", "acc_reward", "r1v_accuracy_reward", "r1v_scene_compute_score"]
    scene = functions(folder / "r1v_scene.py", names, grader)["r1v_scene_compute_score"]

    body = ast.parse((folder / "spatial_sgg.py").read_text(encoding="utf-8")).body
    every = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    every += [node.targets[0].id for node in body if isinstance(node, ast.Assign)]
    every = set(every) - {"_doc", "nlp"}

    class Doc(str):
        def similarity(self, other):
            return dice(str(self), str(other))

    given = {
        "json": json, "math": math, "re": re, "lru_cache": lru_cache, "Dict": Dict, "List": List, "np": numpy,
        "linear_sum_assignment": linear_sum_assignment, "_doc": Doc, "nlp": None,
    }
    graph = functions(folder / "spatial_sgg.py", every, given)["spatial_sgg_compute_score"]
    return {
        "math": lambda row: maths(row["completion"], row["solution"])["overall"],
        "r1v": lambda row: r1v(row["completion"], row["solution"])["overall"],
        "r1v-scene": lambda row: scene(row["completion"], row["solution"])["overall"],
        "spatialthinker": lambda row: graph(row["completion"], row["solution"], row["problem"])["overall"],
    }


def load_egothinker(folder):
    names = ["calculate_t_iou", "validate_and_extract_tg", "calculate_iou", "validate_and_extract"]
    names += ["t_iou_glue_reward", "iou_glue_reward", "format_reward"]
    space = functions(folder / "EgoThinker-RFT/src/open_r1/grpo_qa.py", names, {"re": re, "datetime": datetime})

    def span(row):
        start, end = row["gold"]
        return space["t_iou_glue_reward"]([row["completion"]], [start], [end], [row["problem_type"]])[0]

    def box(row):
        return space["iou_glue_reward"]([row["completion"]], [row["gold"]], [row["problem_type"]])[0]

    return {
        "egothinker-tiou": span,
        "egothinker-iou": box,
        "egothinker-format": lambda row: space["format_reward"]([row["completion"]])[0],
    }


def load_ego_r1(folder):
    path = folder / "Ego-R1-Agent/verl/utils/reward_score/multi_choice.py"
    names = ["parse_answer", "compute_format_score", "compute_score"]
    score = functions(path, names, {"re": re, "json": json})["compute_score"]
    return {"ego-r1": lambda row: score(row["completion"], {"target": row["solution"]}, format_score=0.1)}


SYSTEMS = {
    "src/r1-v/src/open_r1/grpo.py": load_video_r1,
    "ST-R1/src/open_r1_video/grpo.py": load_st_r1,
    "verl/utils/reward_score/spatial_sgg.py": load_spatialthinker,
    "EgoThinker-RFT/src/open_r1/grpo_qa.py": load_egothinker,
    "Ego-R1-Agent/verl/utils/reward_score/multi_choice.py": load_ego_r1,
}

# Rows.

BLANKS = ["", "", "", " ", "\n", " \n ", "\t", "\u3000", "\x1c", "\u00a0"]
NUMBERS = [
    "3", "3.0", "3.00", "-3", "+3", "0", "1,000", "1000", "1 000", "1e3", "0.5", ".5", "5.", "50%", "50 %", "nan", "inf",
    "1_000", "٣", "３", "١٢.٥", "12.345", "12.344", "2.675", "1/2", "3/4", "7 3/4", "five", "$5", "5 cm", "2:30", "3 4", "007",
]
MATHS = NUMBERS + [
    "\\frac{1}{2}", "\\frac12", "\\dfrac{3}{4}", "\\sqrt{3}", "\\sqrt3", "x=5", "k = 5", "x+1", "1+x", "2x", "(1,2)", "(1, 2)",
    "[1,2]", "\\text{left}", "\\text{ cm}", "90^\\circ", "50\\%", "\\$5", "\\pi", "left or right", "day", "\\{1,2\\}", "x^2", "None",
    "none", "{3}", "-\\frac{1}{2}", "(A) on top of", "(a) On Top Of", "A", "B", "3 million", "\\left(1,2\\right)",
]
WORDS = "the a man picks up red cup Cup and puts it down on table naïve 杯子 walking walked walks 3 left, right. Turn".split()
LETTERS = ["A", "B", "C", "D", "E", "a", "b", "A.", "(B)", "B. cup", "Answer: B", "Because", "the answer is C", "A, B", "", "é"]


def sentence(rng, words=WORDS, most=9):
    return " ".join(rng.choice(words) for _ in range(rng.randrange(most)))


def blank(rng):
    return rng.choice(BLANKS)


def tagged(rng, tag, text):
    """A section, whole mostly."""
    form = rng.randrange(24)
    opened, closed = f"<{tag}>", f"</{tag}>"
    if form == 0:
        opened = ""
    if form == 1:
        closed = ""
    if form == 2:
        opened = opened.upper()
    if form == 3:
        opened = opened * 2
    if form == 4:
        closed = closed * 2
    if form == 5:
        opened, closed = closed, opened
    return opened + blank(rng) + text + blank(rng) + closed


def reply(rng, answer, thought=None, tags=("think", "answer")):
    """Sections in order mostly, with something between, before or after them at times."""
    thought = sentence(rng) if thought is None else thought
    if rng.random() < 0.08:
        thought += rng.choice(["<answer>", "</answer>", "<answer>B</answer>", "<think>", "</think>", "<tool>", "\n"])
    inside = {tag: sentence(rng) for tag in tags} | {"think": thought, "answer": answer}
    parts = [tagged(rng, tag, inside[tag]) for tag in tags]
    if rng.random() < 0.06:
        rng.shuffle(parts)
    if rng.random() < 0.08:
        parts.append(tagged(rng, "answer", rng.choice(LETTERS)))
    text = blank(rng).join([""] + parts + [""]) if rng.random() < 0.3 else "".join(parts)
    if rng.random() < 0.06:
        text += rng.choice([" so", "</answer>", "</think>", ".", "\n", "<answer>"])
    return text


def video_r1_row(rng):
    kind = rng.choice(["multiple choice", "numerical", "OCR", "free-form", "regression", "other"])
    pool = {"multiple choice": LETTERS, "numerical": NUMBERS, "regression": NUMBERS}.get(kind)
    gold, said = (rng.choice(pool), rng.choice(pool)) if pool else (sentence(rng), sentence(rng))
    if rng.random() < 0.3:
        said = gold + rng.choice(["", " ", ".", "0"])
    solution = rng.choice([f"<answer>{gold}</answer>"] * 5 + [gold, f"<answer> {gold}\n</answer>", f"<answer>{gold}"])
    return {"completion": reply(rng, said), "solution": solution, "problem_type": kind}


def st_r1_row(rng):
    def text():
        pieces = [rng.choice(["go", "turn left", "I see", "the answer is", "Answer:", "final answer is", "="])]
        for _ in range(rng.randrange(4)):
            number = rng.choice([str(rng.randrange(6)), "1,000", "0.5", "50%", "-2", "12", "2 + 3", "3/4", "10-15", "2"])
            small = rng.choice(["1", "2", "3", "0.5", "12", "\\frac{1}{2}", "x=3", "50\\%", "-2", "\\text{left}", "A", "2+1"])
            latex = rng.choice(["\\boxed{%s}", "$%s$", "$$%s$$", "\\(%s\\)", "\\[%s\\]", "$\\boxed{%s}$"]) % small
            latex = rng.choice([latex, latex, "\\frac{1}{2}", "\\boxed{", "$5", "\\boxed{}"])
            pieces += [rng.choice(["steps", "and", "then", "is", ".", ",", "room2", "\n", "**8**", "="])]
            pieces += [rng.choice([number, number, latex])]
        return " ".join(pieces)

    gold = rng.choice(LETTERS[:6] + ["A. left"])
    solution = rng.choice([f"<answer>{gold}</answer>", gold, f"<think>{text()}</think> <answer>{gold}</answer>"])
    said = rng.choice(LETTERS + [text()])
    return {"completion": reply(rng, said, thought=text()), "solution": solution}


def maths_row(rng):
    gold = rng.choice(MATHS)
    said = rng.choice([gold, gold, rng.choice(MATHS)])
    if rng.random() < 0.15:
        said = blank(rng) + said + blank(rng)
    box = rng.choice(["\\boxed{%s}"] * 8 + ["\\boxed{%s", "%s", "\\boxed{ %s }", "\\boxed{1} \\boxed{%s}", "\\boxed %s"])
    text = tagged(rng, "think", sentence(rng)) + blank(rng) + box % said + blank(rng)
    if rng.random() < 0.05:
        text = rng.choice(["", "\\boxed{}", "\\boxed{ }", "\\boxed{{}", "no box", "< think >a< / think >\\boxed{1 / 2}"])
    return {"completion": text, "solution": gold}


def r1v_row(rng):
    gold = rng.choice(MATHS + [sentence(rng)])
    said = rng.choice([gold, gold, rng.choice(MATHS), f"\\boxed{{{gold}}}", "\\boxed{", "\\boxed{}"])
    solution = rng.choice([gold, f"<answer>{gold}</answer>", f"<answer>\n{gold}</answer>", f"<answer> {gold} "])
    completion = reply(rng, said) if rng.random() < 0.9 else blank(rng) + said + blank(rng)
    return {"completion": completion, "solution": solution}


def scene_row(rng):
    gold = rng.choice(LETTERS + ["(A) Cup", "İ", "ß"])
    said = rng.choice([gold, gold.lower(), gold.upper(), rng.choice(LETTERS)])
    solution = rng.choice([f"<answer>{gold}</answer>"] * 4 + [gold, ""]) or "x"
    return {"completion": reply(rng, said, tags=("observe", "scene", "think", "answer")), "solution": solution}


def number(rng, most=100):
    text = str(rng.randrange(-most // 9, most))
    if rng.random() < 0.06:
        text = text.translate(str.maketrans("0123456789", rng.choice(["٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "०१२३४५६७८९"])))
    if rng.random() < 0.06:
        text = rng.choice(["+", " ", "-", "0", ""]) + text + rng.choice(["", ".0", ".", " "])
    return text


def box_row(rng):
    gold = [rng.randrange(60), rng.randrange(60), rng.randrange(40, 100), rng.randrange(40, 100)]
    inside = (blank(rng) + "," + blank(rng)).join(number(rng) for _ in range(rng.choice([4] * 12 + [3, 5])))
    said = rng.choice(["[%s]"] * 10 + ["(%s)", "%s", "[[%s]]", " [ %s ] "]) % inside
    kind = rng.choice(["visor"] * 9 + ["egoexo"])
    return {"completion": reply(rng, said), "solution": json.dumps(gold), "gold": gold, "problem_type": kind}


def span_row(rng):
    start = rng.randrange(400) / 4
    gold = [start, start + rng.randrange(200) / 4]

    def time():
        text = rng.choice([number(rng), str(rng.randrange(400) / 4), f".{rng.randrange(100)}", "1e3", "nan", "+5.25"])
        return text

    said = rng.choice(["(%s,%s)"] * 9 + ["(%s, %s)", "( %s ,%s )", "[%s,%s]", "%s to %s", "(%s,\u3000%s)"]) % (time(), time())
    kind = rng.choice(["egoexo"] * 9 + ["visor"])
    return {"completion": reply(rng, said), "solution": f"({gold[0]},{gold[1]})", "gold": gold, "problem_type": kind}


def format_row(rng):
    return {"completion": reply(rng, rng.choice(LETTERS)), "solution": "x"}


def ego_r1_row(rng):
    calls = [
        '{"name": "rag", "arguments": {"level": "day", "keywords": ["cup"]}}',
        "{'name': 'rag', 'arguments': '{\"level\": \"day\"}'}",
        '{"name":"vlm","arguments":{"question":"q","n":[1,2]}}',
        '{"arguments": {"a": {"b": 1}}, "name": "x"}',
        '{"name": "", "arguments": {}} "name": "y"',
        '"name": \'x\', "arguments": {"v": NaN, "w": 1e999, "s": "\\ud800"}',
        '{"arguments": 3, "arguments": {}, "name": "x"}',
        "{}", "rag", '{"name": "x"}', '{"name": "x", "arguments": {"a": "\n"}}',
    ]
    text = ""
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        text += tagged(rng, "think", sentence(rng)) + blank(rng) + tagged(rng, "tool", rng.choice(calls)) + blank(rng)
        if rng.random() < 0.7:
            text += tagged(rng, "information", rng.choice(["seen", "seen <answer>B</answer>", "", "</think>"])) + blank(rng)
    text += reply(rng, rng.choice(LETTERS))
    if rng.random() < 0.1:
        text = rng.choice(["so ", "\n", "<information>x</information>", "\x1f"]) + text
    return {"completion": text, "solution": rng.choice(["A", "B", "C", "D", "a", "b", " B ", "c\n", "E"])}


def graph_row(rng):
    names = ["cup.1", "Cup.2", "red-mug.1", "table.1", "chair.3", "fire_hydrant.2", "dog.12"]
    names += [rng.choice(names + ["table", "cup.x", "a.b.3"])]

    def scene():
        objects = []
        for _ in range(rng.randrange(5)):
            x, y = rng.randrange(300), rng.randrange(200)
            bbox = [x, y, x + rng.randrange(1, 200), y + rng.randrange(1, 200)]
            if rng.random() < 0.03:
                bbox = rng.choice([bbox[:3], [2, 2, 1, 1], ["1", 2, 3, 4], [0.5, 1.5, 2.5, 3.5]])
            objects.append({"id": rng.choice(names), "bbox": bbox})
        links = [
            {"subject": rng.choice(names), "predicate": rng.choice(["on", "left of"]), "object": rng.choice(names)}
            for _ in range(rng.randrange(4))
        ]
        whole = {"objects": objects, "relationships": links}
        if rng.random() < 0.06:
            whole.pop(rng.choice(["objects", "relationships"]))
        return whole

    truth = scene()
    drawn = truth if rng.random() < 0.3 else scene()
    gold = rng.choice(["(A) cup", "B", "(C) left of"])
    said = rng.choice([gold, gold, gold.lower(), "(B) x"])
    text = json.dumps(drawn)
    if rng.random() < 0.06:
        text = rng.choice([text[:-1], "", "[]", "null", text + ",", "```json\n" + text + "\n```"])
    parts = [tagged(rng, "observe", sentence(rng)), tagged(rng, "scene", text), tagged(rng, "think", sentence(rng))]
    parts.append(tagged(rng, "answer", said))
    if rng.random() < 0.05:
        rng.shuffle(parts)
    size = rng.choice(["640 x 480", "(640 x 480)", "500 x 333"])
    problem = f"<image>The image size is {size}. What is on the table? Image size: ({size.strip('()')})"
    solution = f"<scene>{json.dumps(truth)}</scene><answer>{gold}</answer>"
    return {"completion": blank(rng).join(parts), "solution": solution, "problem": problem}


ROWS = {
    "video-r1": video_r1_row, "st-r1": st_r1_row, "math": maths_row, "r1v": r1v_row, "r1v-scene": scene_row,
    "spatialthinker": graph_row, "egothinker-iou": box_row, "egothinker-tiou": span_row, "egothinker-format": format_row,
    "ego-r1": ego_r1_row,
}

PUBLISHED = {}


class Clock(logging.Handler):
    """Hears that a verifier's own time limit ran out: its answer is then the machine's, not the row's."""

    def __init__(self):
        super().__init__()
        self.ran_out = False

    def emit(self, record):
        self.ran_out |= "Timeout during" in record.getMessage()


CLOCK = Clock()
logging.getLogger("math_verify").addHandler(CLOCK)
logging.getLogger("math_verify").propagate = False


def published(job):
    name, row = job
    CLOCK.ran_out = False
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            value = float(PUBLISHED[name](row))
        except Exception as error:  # noqa: BLE001  whatever it raises is its answer
            return f"{type(error).__name__}: {error}"
    return None if CLOCK.ran_out else value


def compare(name, options, pool):
    rng = random.Random(f"{options.seed} {name}")
    rows = [ROWS[name](rng) for _ in range(options.rows)]
    expected = pool.map(published, [(name, row) for row in rows], chunksize=64)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.flush()
        command = [options.firsthand, "score", "--reward", name, "--mode", "compatible", file.name]
        run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    found = [json.loads(line) for line in run.stdout.splitlines()]
    if len(found) != len(rows):
        sys.exit(f"error: {' '.join(command)} wrote {len(found)} lines for {len(rows)} rows: {run.stderr[:400]}")
    raised = late = differ = 0
    for row, want, got in zip(rows, expected, found):
        if want is None:
            late += 1
            same = True
        elif isinstance(want, str):
            raised += 1
            same = "error" in got or got["reward"] == 0.0
        else:
            same = "error" not in got and abs(got["reward"] - want) <= TOLERANCE
        differ += not same
        if not same and differ <= SHOWN:
            print(f"{name}: published {want}, ours {got}\n  {json.dumps(row, ensure_ascii=False)}", file=sys.stderr)
    print(f"| {name} | {len(rows)} | {differ} | {raised} | {late} |", flush=True)
    return differ


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--firsthand", default="target/release/firsthand", metavar="PROGRAM")
    parser.add_argument("--checkout", action="append", required=True, type=Path, metavar="DIR")
    parser.add_argument("--reward", action="append", choices=sorted(ROWS))
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    for folder in options.checkout:
        known = [load for file, load in SYSTEMS.items() if (folder / file).is_file()]
        if not known:
            parser.error(f"{folder} is none of the systems; looked for: {', '.join(SYSTEMS)}")
        for load in known:
            PUBLISHED.update(load(folder))
    names = options.reward or [name for name in ROWS if name in PUBLISHED]
    lacking = [name for name in names if name not in PUBLISHED]
    if lacking:
        parser.error(f"no checkout holds the code of {', '.join(lacking)}")
    print("| reward | rows | differences | published code raised | ran out of time |\n|---|---|---|---|---|")
    with multiprocessing.get_context("fork").Pool() as pool:
        sys.exit(1 if sum(compare(name, options, pool) for name in names) else 0)


if __name__ == "__main__":
    main()
