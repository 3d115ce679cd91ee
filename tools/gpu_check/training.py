"""Whole trainings: losses against those of a CPU, repeated and resumed bits, speed, the learning curve."""

import json
import math
import statistics

from runner import StageFailure

BATCH = 2048
LOSS_EPOCHS = 3
TOLERANCE = 1e-4  # relative, of an epoch's mean loss: sums in another order stay far below it
MARK = 0.1824     # Recall@20 of LightGCN-PyTorch with three layers on the Gowalla split, 1000 epochs
# The settings of each loss whose epochs are compared, by its name.
LOSSES = {"bpr": {}}


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
        text = run.command([self.carried.programs / "tern", "gradcheck", "--device", self.device,
                            "--json"], self.carried.environment(run), accept=(0, 1))
        try:
            results = json.loads(text)["results"]
        except (ValueError, KeyError, TypeError):
            raise StageFailure(f"gradcheck printed no report: {text[:200]}") from None
        failed = [result for result in results if not result["passed"]]
        run.figures.update(checks=len(results), failed=failed)
        if failed or not results:
            names = [f"{result['subject']} {result['quantity']}" for result in failed]
            raise StageFailure(f"{len(failed)} of {len(results)} checks failed: {', '.join(names[:5])}")

    def losses(self, run):
        """The same epochs as `pack` trained on a CPU: same seed, so the same triplets."""
        known = self.carried.facts["losses"][self.data_name]
        for name, settings in LOSSES.items():
            figures = run.figures[name] = {"cpu": known[name]}
            out = self.train(run, f"losses-{name}", LOSS_EPOCHS, settings=settings)
            figures[self.device] = [epoch["loss"] for epoch in read_epochs(out)]
            run.save()
            figures["largest_difference"] = compare_losses(known[name], figures[self.device])

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
        run.figures.update(model="lightgcn L3 D64 B2048 f32", steps_an_epoch=steps)
        plain = read_epochs(self.train(run, "speed", 6 if self.device == "cuda" else 3))
        warm = statistics.median(epoch["seconds"] for epoch in plain[1:])
        run.figures.update(first_epoch_seconds=plain[0]["seconds"], epoch_seconds=warm,
                           step_milliseconds=1e3 * warm / steps)
        run.save()
        epochs = read_epochs(self.train(run, "evaluation", 3, evaluate_every=1))
        evaluations = [epoch["evaluation_seconds"] for epoch in epochs if "evaluation_seconds" in epoch]
        run.figures.update(evaluation_seconds=min(evaluations, default=None))

    def curve(self, run):
        """Loss and Recall@20 over the training seconds, for as many epochs as there is time for."""
        out = self.carried.work / "runs" / "curve"
        try:
            self.train(run, "curve", 1000, evaluate_every=10, stop_at=4)
        finally:
            run.figures.update(summary(read_epochs(out)))
        if not run.figures["epochs"]:
            raise StageFailure("no epoch was trained")


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
