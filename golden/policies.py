"""Losses and gradients of policy-optimization algorithms, each written out plainly in torch from its paper.

    python policies.py > tiny/policies.json
    python policies.py distance > tiny/distance.json

Each case of the first file names an algorithm with its constants, holds the samples it saw, and the loss and the slope at
every token's log-probability that autograd found. `cargo test -p firsthand-train policies` compares.

The second holds two small heads with hidden states, a loss of cross-entropies and of distances over the whole vocabulary,
and its gradients, over full matrices of logits. `cargo test -p firsthand-model vocabulary` compares.
"""

import json
import sys

import torch

torch.set_default_dtype(torch.float64)


def samples(seed: int, groups: int = 3, size: int = 4, far: float = 0.4) -> list[dict]:
    """Random completions of 1 to 8 tokens. Numbers are those of f32, as the trainer has them."""
    generator = torch.Generator().manual_seed(seed)

    def draw(count: int, scale: float = 1.0) -> torch.Tensor:
        return (torch.randn(count, generator=generator) * scale).float().double()

    made = []
    for group in range(groups):
        for index in range(size):
            tokens = int(torch.randint(1, 9, (1,), generator=generator))
            old = -draw(tokens).abs()
            made.append({
                "group": group,
                "reward": float(draw(1)[0]),
                "old": old,
                "new": (old + draw(tokens, far)).float().double(),
                "reference": (old + draw(tokens, far)).float().double(),
                "values": draw(tokens, 0.5),
                "values_now": draw(tokens, 0.5),
                "is_baseline": index == size - 1,
            })
    other = torch.Generator().manual_seed(seed + 1000)
    for sample in made:
        sample["distances"] = torch.rand(len(sample["old"]), generator=other).float().double()
    return made


def estimate(kind: str, p: torch.Tensor, q: torch.Tensor, clamp: float, most: float,
             distances: torch.Tensor | None = None) -> torch.Tensor:
    if kind == "full":
        return distances.clamp(max=most) if most else distances
    x = q - p
    if clamp:
        x = x.clamp(-clamp, clamp)
    value = {
        "k1": lambda: -x,
        "k2": lambda: 0.5 * x**2,
        "k3": lambda: x.exp() - x - 1,
        "abs": lambda: x.abs(),
        "chi2": lambda: (x.exp() - 1) ** 2,
    }[kind]()
    return value.clamp(max=most) if most else value


def learned(all_samples: list[dict]) -> list[dict]:
    return [sample for sample in all_samples if not sample["is_baseline"]]


def price(sample: dict, case: dict) -> torch.Tensor:
    if case["place"] != "reward":
        return torch.zeros_like(sample["old"])
    kl = case["kl"]
    return kl["weight"] * estimate(kl["estimator"], sample["old"], sample["reference"], kl["clamp"], kl["most"],
                                   sample["distances"])


def whiten(rows: list[torch.Tensor]) -> list[torch.Tensor]:
    flat = torch.cat(rows)
    return [(row - flat.mean()) / (flat.var(unbiased=True) + 1e-8).sqrt() for row in rows]


def token_rewards(sample: dict, case: dict) -> torch.Tensor:
    rewards = -price(sample, case)
    rewards[-1] += sample["reward"]
    return rewards


def gae(sample: dict, case: dict) -> torch.Tensor:
    rewards, values = token_rewards(sample, case), sample["values"]
    out, last = torch.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        following = values[t + 1] if t + 1 < len(values) else 0.0
        delta = rewards[t] + case["gamma"] * following - values[t]
        last = delta + case["gamma"] * case["lambda"] * last
        out[t] = last
    return out


def advantages(all_samples: list[dict], case: dict) -> list[torch.Tensor]:
    """One row for each learned sample."""
    name, used = case["algorithm"], learned(all_samples)
    score = [sample["reward"] - float(price(sample, case).sum()) for sample in used]
    if name == "reinforce++":
        rows = []
        for sample in used:
            row = token_rewards(sample, case)
            for t in reversed(range(len(row) - 1)):
                row[t] = row[t] + case["gamma"] * row[t + 1]
            rows.append(row)
        return whiten(rows)
    if name == "ppo":
        return whiten([gae(sample, case) for sample in used])
    rows = []
    for sample, own in zip(used, score):
        mates = [s for other, s in zip(used, score) if other["group"] == sample["group"]]
        if name == "rloo":
            value = own - (sum(mates) - own) / (len(mates) - 1)
        elif name == "remax":
            greedy = next(s for s in all_samples if s["group"] == sample["group"] and s["is_baseline"])
            value = own - greedy["reward"]
        else:
            mates = torch.tensor(mates)
            value = own - float(mates.mean())
            if case["divides"]:
                value /= float(mates.std()) + case["divide_epsilon"]
        rows.append(torch.full_like(sample["old"], value))
    return rows


def policy_terms(new: torch.Tensor, old: torch.Tensor, advantage: torch.Tensor, case: dict) -> torch.Tensor:
    low = 1 - case["clip"]["low"] if case["clip"]["low"] else 0.0
    high = 1 + case["clip"]["high"] if case["clip"]["high"] else float("inf")
    if case["ratio"] == "weight":
        return -(new - old).exp().clamp(low, high).detach() * advantage * new
    ratio = (new - old).exp()
    if case["ratio"] == "sequence":
        ratio = (new - old).mean().exp().expand_as(new)
    terms = torch.maximum(-ratio * advantage, -ratio.clamp(low, high) * advantage)
    if case["clip"]["dual"]:
        terms = torch.where(advantage < 0, torch.minimum(terms, -advantage * case["clip"]["dual"]), terms)
    return terms


def run(all_samples: list[dict], case: dict) -> dict:
    used = learned(all_samples)
    news = [sample["new"].clone().requires_grad_() for sample in used]
    fars = [sample["distances"].clone().requires_grad_() for sample in used]
    rows = []
    for sample, new, far, advantage in zip(used, news, fars, advantages(all_samples, case)):
        terms, kl = policy_terms(new, sample["old"], advantage, case), case["kl"]
        if case["place"] == "loss" and kl["weight"]:
            terms = terms + kl["weight"] * estimate(kl["estimator"], new, sample["reference"], kl["clamp"], kl["most"],
                                                    far)
        rows.append(terms)
    loss = {
        "sequence": lambda: torch.stack([row.mean() for row in rows]).mean(),
        "token": lambda: torch.cat(rows).mean(),
        "constant": lambda: torch.stack([row.sum() / case["most_tokens"] for row in rows]).mean(),
    }[case["averaging"]]()
    loss.backward()
    shares = [[0.0] * len(far) if far.grad is None else far.grad.tolist() for far in fars]
    out = {"loss": loss.item(), "slopes": [new.grad.tolist() for new in news], "shares": shares}
    if case["algorithm"] == "ppo":
        nows = [sample["values_now"].clone().requires_grad_() for sample in used]
        squares = []
        for sample, now in zip(used, nows):
            then = sample["values"]
            aim = gae(sample, case) + then
            near = torch.maximum(torch.minimum(now, then + 0.5), then - 0.5)
            squares.append(0.5 * torch.maximum((now - aim) ** 2, (near - aim) ** 2))
        critic = torch.cat(squares).mean()
        critic.backward()
        out |= {"critic_loss": critic.item(), "critic_slopes": [now.grad.tolist() for now in nows]}
    return out


def cases() -> list[dict]:
    token, sequence = {"ratio": "token", "averaging": "token"}, {"ratio": "token", "averaging": "sequence"}
    plain = {"divides": False, "divide_epsilon": 1e-4, "gamma": 1.0, "lambda": 1.0, "most_tokens": 10}
    clip = {"low": 0.2, "high": 0.2, "dual": 0.0}
    none = {"weight": 0.0, "estimator": "k3", "clamp": 0.0, "most": 0.0}
    base = plain | {"clip": clip, "kl": none, "place": "loss"}
    k3 = none | {"weight": 0.04}
    return [
        base | sequence | {"algorithm": "grpo", "divides": True},
        base | sequence | {"algorithm": "grpo", "divides": False, "kl": k3 | {"clamp": 0.3}},
        # As Video-R1: no clipping, the distance clamped.
        base | sequence | {"algorithm": "grpo", "divides": True, "clip": clip | {"low": 0.0, "high": 0.0},
                           "kl": k3 | {"clamp": 10.0}},
        # As SpatialThinker.
        base | token | {"algorithm": "grpo", "divides": True, "divide_epsilon": 1e-6,
                        "clip": {"low": 0.2, "high": 0.3, "dual": 3.0}, "kl": k3 | {"weight": 0.01, "most": 10.0}},
        base | token | {"algorithm": "grpo", "divides": True, "clip": {"low": 0.2, "high": 0.3, "dual": 1.05},
                        "kl": none | {"weight": 0.5, "estimator": "chi2", "most": 0.2}},
        base | {"algorithm": "dr-grpo", "ratio": "token", "averaging": "constant"},
        base | token | {"algorithm": "dapo", "divides": True, "clip": clip | {"high": 0.28}},
        base | {"algorithm": "gspo", "ratio": "sequence", "averaging": "sequence", "divides": True,
                "clip": {"low": 0.03, "high": 0.04, "dual": 0.0}},
        base | {"algorithm": "cispo", "ratio": "weight", "averaging": "token", "divides": True,
                "clip": {"low": 0.0, "high": 0.28, "dual": 0.0}},
        base | sequence | {"algorithm": "rloo", "place": "reward", "kl": none | {"weight": 0.1, "estimator": "k1"}},
        base | sequence | {"algorithm": "rloo", "kl": none | {"weight": 0.1, "estimator": "k2"}},
        base | sequence | {"algorithm": "reinforce++", "place": "reward", "gamma": 0.97,
                           "kl": none | {"weight": 0.1, "estimator": "k1"}},
        base | sequence | {"algorithm": "remax", "kl": none | {"weight": 0.1, "estimator": "abs"}},
        base | token | {"algorithm": "ppo", "place": "reward", "gamma": 0.99, "lambda": 0.95,
                        "kl": none | {"weight": 0.05, "estimator": "k1"}},
        base | sequence | {"algorithm": "grpo", "divides": True, "kl": none | {"weight": 0.1, "estimator": "full"}},
        base | token | {"algorithm": "grpo", "divides": True,
                        "kl": none | {"weight": 0.1, "estimator": "full", "most": 0.5}},
        base | sequence | {"algorithm": "rloo", "place": "reward", "kl": none | {"weight": 0.1, "estimator": "full"}},
    ]


def distance() -> dict:
    """More rows than are computed at one time, some twice, some not at all."""
    generator = torch.Generator().manual_seed(7)
    rows, width, other_width, vocabulary, count = 90, 6, 5, 37, 300

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).float().double()

    hidden, head = draw(rows, width).requires_grad_(), draw(vocabulary, width).requires_grad_()
    other_hidden, other_head = draw(count, other_width), draw(vocabulary, other_width)
    index = torch.randint(0, rows - 10, (count,), generator=generator)
    targets = torch.randint(0, vocabulary, (count,), generator=generator)
    weights, shares = draw(count) / count, draw(count).abs() / count
    p = torch.log_softmax(hidden[index] @ head.T, -1)
    q = torch.log_softmax(other_hidden @ other_head.T, -1)
    logs, distances = p.gather(1, targets[:, None])[:, 0], (p.exp() * (p - q)).sum(-1)
    loss = -(weights * logs).sum() + (shares * distances).sum()
    loss.backward()
    found = {
        "hidden": hidden, "head": head, "other_hidden": other_hidden, "other_head": other_head, "weights": weights,
        "shares": shares, "logs": logs, "distances": distances, "dhidden": hidden.grad, "dhead": head.grad,
    }
    flat = {name: tensor.detach().float().flatten().tolist() for name, tensor in found.items()}
    return flat | {"rows": index.tolist(), "targets": targets.tolist(), "loss": loss.item(), "vocabulary": vocabulary}


def main() -> None:
    if sys.argv[1:] == ["distance"]:
        json.dump(distance(), sys.stdout, indent=None, separators=(",", ":"))
        print()
        return
    out = []
    for number, case in enumerate(cases()):
        seen = samples(number)
        found = run(seen, case)
        plain = [{key: value.tolist() if torch.is_tensor(value) else value for key, value in s.items()} for s in seen]
        out.append({"case": case, "samples": plain, **found})
    json.dump(out, sys.stdout, indent=None, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
