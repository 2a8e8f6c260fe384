"""Prints how two dump files differ, entry by entry. Usage: python compare.py A.safetensors B.safetensors

Exit status 1 when an integer entry differs, an entry is missing, or logits differ by more than --limit.
"""

import argparse
import sys

import numpy as np
from safetensors.numpy import load_file


def difference(name: str, a: np.ndarray, b: np.ndarray, limit: float) -> tuple[bool, str]:
    """Whether the entries agree, and a line that says how well."""
    if a.shape != b.shape:
        return False, f"shape {list(a.shape)} and {list(b.shape)}"
    if np.issubdtype(a.dtype, np.integer) and np.issubdtype(b.dtype, np.integer):
        wrong = np.flatnonzero(a.reshape(-1) != b.reshape(-1))
        return not wrong.size, "equal" if not wrong.size else f"{wrong.size} of {a.size} differ, first at {wrong[0]}"
    x, y = a.astype(np.float64).reshape(-1), b.astype(np.float64).reshape(-1)
    gap = np.abs(x - y)
    largest = float(gap.max(initial=0))  # NaN if there is one
    norms = np.linalg.norm(x) * np.linalg.norm(y)
    relative = np.linalg.norm(x - y) / max(np.linalg.norm(y), 1e-300)
    cosine = x @ y / norms if norms else 1.0
    line = f"max abs {largest:.3e}, relative {relative:.3e}, cosine {cosine:.9f}"
    bad = np.flatnonzero(~(gap <= limit))
    return not bad.size, line + (f", first beyond {limit:g} at {bad[0]}" if bad.size else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--limit", type=float, default=1e-3, help="largest absolute difference of a float entry")
    options = parser.parse_args()
    a, b = load_file(options.a), load_file(options.b)
    agree = True
    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b:
            same, line = False, f"only in {options.a if name in a else options.b}"
        else:
            same, line = difference(name, a[name], b[name], options.limit)
        agree &= same
        print(f"{'ok ' if same else 'BAD'} {name}: {line}")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
