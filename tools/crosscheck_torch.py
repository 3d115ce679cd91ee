#!/usr/bin/env python3
"""Recomputes steps that `tern gradcheck --dump DIR` wrote with PyTorch's automatic differentiation.

    tools/crosscheck_torch.py DIR...
    tools/crosscheck_torch.py --formula FILE.py DIR...

Each DIR has a step.json (what tern gradcheck --dump made, or a folder of such). Loss, final
embeddings and the gradient of every parameter are computed in f64 from the dumped interactions,
triplets and parameters, with dense matrices and the models' published formulas, and compared with
what was dumped. Exit status: 0 all agree, 1 some do not, 2 usage, 77 no PyTorch here.

FILE.py has a formula of the loss, in place of the one here, for the losses of the dumped steps:

    def loss(users, items, triplets, settings):
        u, p, n = triplets.T
        return torch.nn.functional.softplus((users[u] * (items[n] - items[p])).sum(dim=1)).mean()

users, items: the final embeddings, (U, D) and (I, D), f64, that the gradients go through. triplets: (B, 3), int64: user,
positive and negative item, -1 without one. settings: the contents of step.json. It returns a scalar tensor: the loss
without L2 and without a contrast, which are added as in every step. A file that does not hold such a function is a
usage error.
"""

import argparse
import importlib.util
import json
import pathlib
import sys

try:
    import numpy as np
    import torch
except ImportError as error:
    print(f"crosscheck_torch: left out, {error.name} cannot be imported", file=sys.stderr)
    sys.exit(77)

# Of the largest element. f64: differences of the order of summation; f32: of 24-bit arithmetic.
BOUNDS = {"f64": 1e-10, "f32": 1e-5}


def philox(counters, key):
    """Philox4x32-10 of (n, 4) counters (Salmon et al. 2011, "Parallel random numbers: as easy as
    1, 2, 3"), (n, 4) words."""
    c = [counters[:, i].astype(np.uint64) for i in range(4)]
    low, high, mask = key & 0xFFFFFFFF, key >> 32, np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        half = np.uint64(32)
        c = [(b >> half) ^ c[1] ^ np.uint64(low), b & mask,
             (a >> half) ^ c[3] ^ np.uint64(high), a & mask]
        low, high = (low + 0x9E3779B9) & 0xFFFFFFFF, (high + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=1)


def noise(rows, cols, seed, step, place):
    """r / |r| of every row, as Backend::perturb draws it."""
    blocks = (rows * cols + 3) // 4
    index = np.arange(blocks, dtype=np.uint64) + np.uint64(place << 48)
    counters = np.stack((index & np.uint64(0xFFFFFFFF), index >> np.uint64(32),
                         np.full(blocks, step, np.uint64), np.full(blocks, 8 << 24, np.uint64)), 1)
    words = philox(counters, seed).reshape(-1)[: rows * cols].reshape(rows, cols)
    return torch.nn.functional.normalize(
        torch.from_numpy((words.astype(np.float64) + 1.0) / 2.0**32), dim=1)


class Step:
    """A dumped step: its arrays by name, its settings, and the same quantities computed anew."""

    def __init__(self, directory, formula=None):
        self.directory = directory
        self.formula = formula  # of the loss; None: the one here
        self.settings = json.loads((directory / "step.json").read_text(encoding="utf-8"))
        self.running = {}  # name: (mean, variance) of gcmc's batch normalisations
        self.parameters = {
            name: torch.from_numpy(self.array(name).astype(np.float64)).requires_grad_()
            for name in self.parameter_names()
        }

    def array(self, name):
        return np.load(self.directory / f"{name}.npy", allow_pickle=False)

    def parameter_names(self):
        suffix = "_gradient.npy"
        return sorted(path.name[: -len(suffix)] for path in self.directory.glob(f"*{suffix}"))

    def adjacency(self, left=0.5, right=0.5):
        """D^-left [[0, R], [R^T, 0]] D^-right, dense; a node without interactions has scale 0."""
        users, items = self.settings["users"], self.settings["items"]
        a = torch.zeros(users + items, users + items, dtype=torch.float64)
        for user, item in self.array("interactions"):
            a[user, users + item] = a[users + item, user] = 1.0
        degrees = a.sum(dim=1)
        scales = [torch.where(degrees > 0, degrees.clamp(min=1.0) ** -exponent, degrees)
                  for exponent in (left, right)]
        return scales[0][:, None] * a * scales[1][None, :]

    def encode(self, mode):
        """Final embeddings of gcmc: z = BN(ReLU(ReLU(x W1 + b1) + h W3 + b3)) a layer, with
        h = A (x' Wc + bc) and x' the other side's input; torch's own batch_norm in either mode. In
        "train" mode the running statistics take one step from those of a fresh layer."""
        sizes = {"user": self.settings["users"], "item": self.settings["items"]}
        other = {"user": "item", "item": "user"}
        adjacency = self.adjacency()
        users = sizes["user"]
        block = {"user": adjacency[:users, users:], "item": adjacency[users:, :users]}
        inputs = {side: self.inputs(side) for side in sizes}
        for layer in range(1, self.settings["layers"] + 1):
            outputs = {}
            for side in sizes:
                get = lambda name: self.parameters[f"{side}_layer{layer}_{name}"]  # noqa: B023, E731

                def linear(name, parts):
                    return get(f"{name}_bias") + sum(
                        x @ get(f"{name}_{part}_weight") for part, x in parts.items())

                h = block[side] @ linear("message", inputs[other[side]])
                a = torch.relu(torch.relu(linear("self", inputs[side])) +
                               h @ get("mix_weight") + get("mix_bias"))
                mean, variance = self.running.setdefault(
                    f"{side}_layer{layer}_norm_running",
                    (torch.zeros(a.shape[1], dtype=torch.float64),
                     torch.ones(a.shape[1], dtype=torch.float64)))
                outputs[side] = {"learned": torch.nn.functional.batch_norm(
                    a, mean, variance, get("norm_scale")[0], get("norm_shift")[0],
                    training=mode == "train")}
            inputs = outputs
        return inputs["user"]["learned"], inputs["item"]["learned"]

    def inputs(self, side):
        """What the nodes of a side start from: features, learned ids, or both."""
        parts = {part: torch.from_numpy(self.array(f"{side}_{part}").astype(np.float64))
                 for part in ("numbers", "categories")
                 if (self.directory / f"{side}_{part}.npy").exists()}
        if f"{side}_embedding" in self.parameters:
            parts["learned"] = self.parameters[f"{side}_embedding"]
        return parts

    def perturbed_layers(self):
        """Layers 1 to L of xsimgcl: each propagated from the one before, plus noise."""
        contrast = self.settings["contrast"]
        sizes = (self.settings["users"], self.settings["items"])
        adjacency = self.adjacency()
        layers = [torch.cat((self.parameters["user_embedding"], self.parameters["item_embedding"]))]
        for layer in range(self.settings["layers"]):
            spread = adjacency @ layers[-1]
            drawn = torch.cat([noise(size, spread.shape[1], contrast["seed"], 0, 2 * layer + side)
                               for side, size in enumerate(sizes)])
            layers.append(spread + contrast["magnitude"] * spread.sign() * drawn)
        return layers[1:]

    def plus_plus(self, layer0):
        """Final embeddings of lightgcn++: each layer from the unit rows of the one before."""
        given = self.settings["propagation"]
        adjacency = self.adjacency(given["alpha"], given["beta"])
        layers = [layer0]
        for _ in range(self.settings["layers"]):
            layers.append(adjacency @ torch.nn.functional.normalize(layers[-1], dim=1))
        return given["gamma"] * layers[0] + (1 - given["gamma"]) * torch.stack(layers[1:]).mean(dim=0)

    def contrasts(self):
        """InfoNCE between the final embeddings and one layer, over the distinct users and positive
        items of the batch."""
        contrast = self.settings["contrast"]
        layers = self.perturbed_layers()
        sizes = (self.settings["users"], self.settings["items"])
        finals = torch.stack(layers).mean(dim=0).split(sizes)
        views = layers[contrast["layer"] - 1].split(sizes)
        losses = []
        for side in range(2):
            rows = torch.from_numpy(np.unique(self.array("triplets")[:, side]).astype(np.int64))
            logits = (torch.nn.functional.normalize(finals[side][rows], dim=1) @
                      torch.nn.functional.normalize(views[side][rows], dim=1).T)
            losses.append(contrast["weight"] * torch.nn.functional.cross_entropy(
                logits / contrast["temperature"], torch.arange(len(rows))))
        return losses

    def final_embeddings(self):
        if self.settings["model"] == "gcmc":
            return self.encode("train")
        layer0 = (self.parameters["user_embedding"], self.parameters["item_embedding"])
        if self.settings["model"] == "mf":
            return layer0
        if self.settings["model"] == "xsimgcl":
            return torch.stack(self.perturbed_layers()).mean(dim=0).split(
                [self.settings["users"], self.settings["items"]])
        if self.settings["model"] == "lightgcn++":
            return self.plus_plus(torch.cat(layer0)).split([self.settings["users"],
                                                            self.settings["items"]])
        if self.settings["model"] != "lightgcn":
            sys.exit(f"crosscheck_torch: {self.directory}: no formula for model "
                     f"\"{self.settings['model']}\"")
        adjacency = self.adjacency()
        layers = [torch.cat(layer0)]
        for _ in range(self.settings["layers"]):
            layers.append(adjacency @ layers[-1])
        return torch.stack(layers).mean(dim=0).split([self.settings["users"],
                                                      self.settings["items"]])

    def losses(self, users, items):
        """The loss over final embeddings, and L2 of each triplet's layer-0 rows (gcmc:
        final rows). A triplet without a negative has the item -1."""
        triplets = torch.from_numpy(self.array("triplets").astype(np.int64))
        u, p, n = triplets.T
        if self.formula is not None:
            ranking = self.own_loss(users, items, triplets)
        elif self.settings["loss"] == "softmax":
            ranking = self.softmax(users, items, u, p, n[:0])
        elif self.settings["loss"] == "mixed softmax":
            each = self.settings["negatives_per_positive"]
            ranking = self.softmax(users, items, u[::each], p[::each], n)
        elif self.settings["loss"] == "directau":
            ranking = self.directau(users, items, u, p)
        elif self.settings["loss"] in ("sampled softmax", "ccl"):
            ranking = self.contrast(users, items, u, p, n)
        else:
            scores = ((users[u] * (items[n] - items[p])).sum(dim=1))
            ranking = torch.nn.functional.softplus(scores).mean()
        if self.settings["model"] != "gcmc":
            users = self.parameters["user_embedding"]
            items = self.parameters["item_embedding"]
        rows = torch.cat((users[u], items[p], items[n[n >= 0]]))
        return ranking, self.settings["l2"] / (2 * len(u)) * rows.square().sum()

    def own_loss(self, users, items, triplets):
        """The loss by the user's formula."""
        try:
            value = self.formula(users, items, triplets, self.settings)
        except Exception as error:  # of somebody else's code: any
            fail(f"{self.directory}: the formula raised {type(error).__name__}: {error}")
        if not (isinstance(value, torch.Tensor) and value.shape == () and value.requires_grad):
            fail(f"{self.directory}: the formula returned {value!r}, expected a scalar tensor that depends on users or "
                 "items")
        return value.to(torch.float64)

    def softmax(self, users, items, u, p, n):
        """In-batch softmax of cosines, columns with an observed item of the row's user masked. n: more
        columns, drawn uniformly."""
        observed = torch.zeros(self.settings["users"], self.settings["items"], dtype=torch.bool)
        for user, item in self.array("interactions"):
            observed[user, item] = True
        columns = torch.cat((p, n))
        cosines = (torch.nn.functional.normalize(users[u], dim=1) @
                   torch.nn.functional.normalize(items[columns], dim=1).T)
        shares = observed.sum(dim=0).clamp(min=1).to(torch.float64) / observed.sum()
        if len(n) > 0:
            each = self.settings["negatives_per_positive"]
            shares = (shares + each / self.settings["items"]) / (1 + each)
        logits = (cosines / self.settings["temperature"] -
                  self.settings["popularity_correction"] * shares[columns].log())
        masked = observed[u][:, columns] | torch.eye(len(u), len(columns), dtype=torch.bool)
        logits = logits.masked_fill(masked, -torch.inf)
        counted = ~masked.all(dim=1)  # a row without columns adds nothing
        own = cosines.diagonal()[counted]
        terms = (self.settings["negative_weight"] * logits[counted].logsumexp(dim=1) -
                 own / self.settings["temperature"])
        return (self.pair_weights(u[counted], own) * terms).sum() / len(u)

    def pair_weights(self, u, cosines):
        """SL@K: how much pairs count, by how far they are above the thresholds of their users, which
        are constants; 1 with other losses."""
        if not (self.directory / "loss.thresholds.npy").exists():
            return torch.ones_like(cosines)
        thresholds = torch.from_numpy(self.array("loss.thresholds").astype(np.float64))[0]
        return torch.sigmoid((cosines - thresholds[u]) / self.settings["weight_temperature"])

    def directau(self, users, items, u, p):
        """DirectAU, as its authors' code computes it: alignment of the pairs' unit rows, and the mean
        uniformity of users and items with their repeats."""
        x = torch.nn.functional.normalize(users[u], dim=1)
        y = torch.nn.functional.normalize(items[p], dim=1)
        alignment = (x - y).square().sum(dim=1).mean()
        if len(u) < 2:
            return alignment
        first, second = torch.triu_indices(len(u), len(u), offset=1)
        spread = [(-2 * (rows[first] - rows[second]).square().sum(dim=1)).exp().mean().log()
                  for rows in (x, y)]
        return alignment + self.settings["uniformity_weight"] * sum(spread) / 2

    def contrast(self, users, items, u, p, n):
        """Each pair's cosine against those of its own negatives, which are consecutive triplets."""
        each = self.settings["negatives_per_positive"]
        positive, negative = (
            torch.nn.functional.cosine_similarity(users[u], items[ids], dim=1).view(-1, each)
            for ids in (p, n))
        weight = self.settings["negative_weight"]
        if self.settings["loss"] == "ccl":
            above = torch.relu(negative - self.settings["margin"])
            return (1 - positive[:, 0] + weight * above.mean(dim=1)).mean()
        temperature = self.settings["temperature"]
        terms = weight * (negative / temperature).logsumexp(dim=1) - positive[:, 0] / temperature
        return (self.pair_weights(u[::each], positive[:, 0]) * terms).mean()

    def recompute(self):
        """{name: what should have been dumped under that name}."""
        users, items = self.final_embeddings()
        terms = list(self.losses(users, items))
        if self.settings["model"] == "xsimgcl":
            terms += self.contrasts()
        sum(terms).backward()
        if self.settings["model"] == "gcmc":
            users, items = self.encode("evaluation")
        if self.settings["model"] == "xsimgcl":  # without noise
            self.settings["contrast"]["magnitude"] = 0.0
            users, items = self.final_embeddings()
        truth = {"loss": torch.stack(terms), "final_users": users, "final_items": items}
        for name, (mean, variance) in self.running.items():
            truth[f"{name}_mean"], truth[f"{name}_variance"] = mean[None], variance[None]
        for name, parameter in self.parameters.items():
            truth[f"{name}_gradient"] = parameter.grad
        return {name: value.detach().numpy() for name, value in truth.items()}


def fail(message):
    print(f"crosscheck_torch: {message}", file=sys.stderr)
    sys.exit(2)


def read_formula(path):
    """The function `loss` of a Python file."""
    try:
        spec = importlib.util.spec_from_file_location("formula", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception as error:  # of somebody else's code: any
        fail(f"{path}: cannot be read: {type(error).__name__}: {error}")
    if not callable(getattr(module, "loss", None)):
        fail(f"{path}: no function loss(users, items, triplets, settings)")
    return module.loss


def largest(values):
    return float(np.abs(values).max(initial=0.0))


def relative_difference(value, truth, scale):
    if value.shape != truth.shape:
        return float("inf")
    return largest(value - truth) / (scale if scale > 0 else 1.0)


def steps_under(path):
    found = sorted(place.parent for place in path.rglob("step.json"))
    if not found:
        fail(f"{path}: no step.json in it; tern gradcheck --dump {path} makes one")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--formula", type=pathlib.Path, metavar="FILE.py",
                        help="the loss as a function loss(users, items, triplets, settings) of this file")
    arguments = parser.parse_args()
    formula = read_formula(arguments.formula) if arguments.formula else None
    all_agree = True
    print(f"{'step':24} {'backend':10} {'quantity':26} {'difference':>10} {'bound':>7}  verdict")
    for directory in (step for path in arguments.directories for step in steps_under(path)):
        step = Step(directory, formula)
        bound = BOUNDS[step.settings["precision"]]
        truths = step.recompute()
        gradients = max(largest(truth) for name, truth in truths.items()
                        if name.endswith("_gradient"))
        for name, truth in truths.items():
            # Gradients relative to the largest of all: before a normalisation, that of a bias is a
            # sum that cancels.
            scale = gradients if name.endswith("_gradient") else largest(truth)
            difference = relative_difference(step.array(name), truth, scale)
            agrees = difference <= bound  # not so for NaN
            all_agree = all_agree and agrees
            print(f"{directory.name:24} {step.settings['backend']:10} {name:26} "
                  f"{difference:10.1e} {bound:7.0e}  {'ok' if agrees else 'DIFFERS'}")
    return 0 if all_agree else 1


if __name__ == "__main__":
    sys.exit(main())
