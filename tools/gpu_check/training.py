"""Whole trainings: losses against those of a CPU, repeated and resumed bits, speed, the learning curve."""

import dataclasses
import json
import math
import statistics
import time

from runner import OutOfTime, Run, StageFailure

BATCH = 2048
LOSS_EPOCHS = 3
GRADCHECK_PROBLEMS = 3
TOLERANCE = 1e-4  # relative, of an epoch's mean loss: sums in another order stay far below it
MARK = 0.1824     # Recall@20 of LightGCN-PyTorch with three layers on the Gowalla split, 1000 epochs


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training that is checked and measured: its name for people, its keys of --set beyond those of
    train_words, and its learning curve: how many epochs at most, and after how many it is evaluated."""

    model: str
    settings: dict
    curve_epochs: int
    evaluate_every: int


RECIPES = {
    "bpr": Recipe("lightgcn L3 D64 B2048 f32", {}, 1000, 10),
    "softmax": Recipe("lightgcn L1 D64 B2048 f32, in-batch softmax",
                      {"model.layers": 1, "model.init": "xavier", "loss.kind": "softmax",
                       "loss.temperature": 0.12, "loss.l2": 1e-5,
                       "sampling.positives": "interaction"}, 40, 1),
}


def train_words(program, data, device, out, epochs, evaluate_every=0, seed=0, settings=None):
    """The command of a training without monitors, and without choosing an epoch."""
    settings = {"data.valid_fraction": 0, "train.patience": 0, "train.select_on": "test",
                "train.batch_size": BATCH, "train.evaluate_every": evaluate_every,
                "monitor.every": 0, **(settings or {})}
    words = [program, "train", data, "--model", "lightgcn", "--device", device, "--epochs", epochs,
             "--seed", seed, "--out", out, "--overwrite", "--quiet"]
    for key, value in settings.items():
        words += ["--set", f"{key}={value}"]
    return words


def read_epochs(out):
    """The epochs of a run so far; without a last line that is not complete."""
    epochs = []
    try:
        lines = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return epochs
    for line in lines:
        try:
            epochs.append(json.loads(line))
        except ValueError:
            break
    return epochs


def compare_losses(expected, found):
    """The largest relative difference of the epochs' losses; StageFailure beyond the tolerance."""
    if len(found) != len(expected):
        raise StageFailure(f"{len(found)} epochs have a loss, not {len(expected)}")
    differences = [abs(here - there) / abs(there) if isinstance(here, float) else math.inf
                   for here, there in zip(found, expected)]
    for epoch, difference in enumerate(differences):
        if not difference <= TOLERANCE:
            raise StageFailure(f"loss of epoch {epoch + 1}: {found[epoch]}, on a CPU "
                               f"{expected[epoch]}: a relative difference of {difference:.1e}")
    return max(differences)


def steps_an_epoch(data):
    """Steps of one epoch: as many triplets as there are training interactions."""
    with open(data / "train.txt", encoding="ascii") as lines:
        interactions = sum(len(set(line.split()[1:])) for line in lines)
    return math.ceil(interactions / BATCH)


class Training:
    def __init__(self, carried, device, data_name):
        self.carried, self.device, self.data_name = carried, device, data_name

    def train(self, run, name, epochs, stop_at=None, on_line=None, **options):
        out = self.carried.work / "runs" / name
        (out / "metrics.jsonl").unlink(missing_ok=True)
        run.command(train_words(self.carried.programs / "tern", self.carried.data(self.data_name),
                                self.device, out, epochs, **options),
                    self.carried.environment(run), stop_at=stop_at, on_line=on_line)
        return out

    # --- Stages -----------------------------------------------------------------------------------

    def gradcheck(self, run):
        """One problem at a time, so that a stage that is cut off keeps those before; another one only if
        there is time for it."""
        run.figures.update(checks=0, failed=[])
        longest = 0.0
        for seed in range(GRADCHECK_PROBLEMS):
            if run.remaining() < 1.2 * longest:
                break
            begin = time.monotonic()
            text = run.command([self.carried.programs / "tern", "gradcheck", "--device", self.device, "--problems", 1,
                                "--seed", seed, "--json"], self.carried.environment(run), accept=(0, 1))
            try:
                results = json.loads(text)["results"]
            except (ValueError, KeyError, TypeError):
                raise StageFailure(f"gradcheck printed no report: {text[:200]}") from None
            if not results:
                raise StageFailure("gradcheck checked nothing")
            run.figures["checks"] += len(results)
            run.figures["failed"] += [{"seed": seed, **result} for result in results if not result["passed"]]
            run.save()
            longest = max(longest, time.monotonic() - begin)
        failed = run.figures["failed"]
        if failed:
            names = [f"{result['subject']} {result['quantity']}" for result in failed]
            raise StageFailure(f"{len(failed)} of {run.figures['checks']} checks failed: {', '.join(names[:5])}")

    def losses(self, run):
        """The same epochs as `pack` trained on a CPU: same seed, so the same triplets."""
        known = self.carried.facts["losses"][self.data_name]

        def work(run, name, recipe):
            run.figures["cpu"] = known[name]
            out = self.train(run, f"losses-{name}", LOSS_EPOCHS, settings=recipe.settings)
            run.figures[self.device] = [epoch["loss"] for epoch in read_epochs(out)]
            run.save()
            run.figures["largest_difference"] = compare_losses(known[name], run.figures[self.device])

        each_recipe(run, RECIPES, work)

    def repeat(self, run):
        runs = [self.train(run, name, 2, seed=7) for name in ("repeat-1", "repeat-2")]
        resumed = self.train(run, "repeat-resumed", 1, seed=7)
        tern = self.carried.programs / "tern"
        run.command([tern, "train", "--resume", resumed, "--epochs", 2, "--quiet"],
                    self.carried.environment(run))
        files = []
        for out in (*runs, resumed):
            to = out / "embeddings"
            run.command([tern, "export", out, "--checkpoint", "last", "--to", to, "--device",
                         self.device, "--quiet"], self.carried.environment(run))
            files.append([(to / f"{side}_embeddings.npy").read_bytes() for side in ("user", "item")])
        if files[0] != files[1]:
            raise StageFailure("two runs with the same seed gave different embeddings")
        if files[0] != files[2]:
            raise StageFailure("a resumed run gave different embeddings from an uninterrupted one")
        run.figures.update(same_bits=True, bytes=sum(map(len, files[0])))

    def speed(self, run):
        """Step, epoch and evaluation; the first epoch also loads kernels and captures the step."""
        steps = steps_an_epoch(self.carried.data(self.data_name))

        def work(run, name, recipe):
            run.figures.update(model=recipe.model, steps_an_epoch=steps)
            plain = read_epochs(self.train(run, f"speed-{name}", 6 if self.device == "cuda" else 3,
                                           settings=recipe.settings))
            warm = statistics.median(epoch["seconds"] for epoch in plain[1:])
            run.figures.update(first_epoch_seconds=plain[0]["seconds"], epoch_seconds=warm,
                               step_milliseconds=1e3 * warm / steps)
            run.save()
            epochs = read_epochs(self.train(run, f"evaluation-{name}", 3, evaluate_every=1,
                                            settings=recipe.settings))
            seconds = [epoch["evaluation_seconds"] for epoch in epochs if "evaluation_seconds" in epoch]
            run.figures.update(evaluation_seconds=min(seconds, default=None))

        each_recipe(run, RECIPES, work)

    def curve(self, run):
        """Loss and Recall@20 over the training seconds, for as many epochs as there is time for. The
        recipe with the fewest epochs comes first: the others take the time that it leaves."""
        def work(run, name, recipe):
            out = self.carried.work / "runs" / f"curve-{name}"
            try:
                self.train(run, f"curve-{name}", recipe.curve_epochs, evaluate_every=recipe.evaluate_every,
                           stop_at=4, settings=recipe.settings)
            finally:
                run.figures.update(summary(read_epochs(out)))
            if not run.figures["epochs"]:
                raise StageFailure("no epoch was trained")

        each_recipe(run, dict(sorted(RECIPES.items(), key=lambda item: item[1].curve_epochs)), work)


def each_recipe(run, recipes, work):
    """Calls work(run, name, recipe) for each recipe, with an equal part of the time that is left and
    figures of its own. A recipe that fails loses only itself."""
    failures = []
    for place, (name, recipe) in enumerate(recipes.items()):
        deadline = time.monotonic() + run.remaining() / (len(recipes) - place)
        figures = run.figures[name] = {}
        try:
            work(Run(run.log, deadline, run.save, figures), name, recipe)
        except StageFailure as why:
            failures.append((name, why))
    if failures:
        late = all(isinstance(why, OutOfTime) for _, why in failures)
        raise (OutOfTime if late else StageFailure)("; ".join(f"{name}: {why}" for name, why in failures))


def summary(epochs):
    """Training seconds, loss and metrics at each evaluated epoch; when the mark was reached."""
    seconds, points, reached = 0.0, [], None
    for epoch in epochs:
        seconds += epoch["seconds"]
        if "recall@20" not in epoch:
            continue
        points.append([epoch["epoch"], round(seconds, 3), epoch["loss"], epoch["recall@20"],
                       epoch.get("ndcg@20")])
        if reached is None and epoch["recall@20"] >= MARK:
            reached = points[-1]
    return {"mark": MARK, "epochs": len(epochs), "training_seconds": round(seconds, 3),
            "reached": reached and {"epoch": reached[0], "training_seconds": reached[1]},
            "best_recall": max((point[3] for point in points), default=None),
            "columns": ["epoch", "training_seconds", "loss", "recall@20", "ndcg@20"], "points": points}
