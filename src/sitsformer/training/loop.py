"""The one training loop: pretraining and fine-tuning, one process or many, stop and resume.

    history = fit(model, task, plan, checkpoint=Path("results/checkpoints/dual-p0"))

A task says what the batches and the losses are; the loop does the rest. All randomness of an update
is drawn from (seed, number of the update), so a run that was killed and is resumed from its
checkpoint ends with the same bytes as one that was not (on a CPU with the same number of threads;
other numbers of threads add up in another order and differ in the last bits).
"""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from torch import Tensor, nn

from sitsformer.errors import SitsError
from sitsformer.model.encoder import Layer
from sitsformer.training import checkpoint as checkpoints
from sitsformer.training import distributed
from sitsformer.training.determinism import deterministic
from sitsformer.training.fingerprints import fingerprint
from sitsformer.training.recipe import Plan, learning_rate
from sitsformer.training.update import Updates

logger = logging.getLogger("sitsformer")

TERMINATED = 143
"""Exit status after SIGTERM (128 + 15, as shells report it): Snakemake counts it as a failure, and
a rule with `retries` runs again and resumes from the checkpoint."""

STOPS = (signal.SIGTERM, signal.SIGXCPU, signal.SIGUSR1, signal.SIGUSR2)
"""What schedulers send before they kill a job at its time limit; which one is theirs or the user's
choice (`--signal` of Slurm, `s_rt` of Grid Engine)."""

DIVERGED = 10.0
"""A loss, smoothed over some 20 steps, this many times the first one stops the run."""

CHECK_EVERY = 50
"""Steps between looks at the loss on a GPU, each of which waits for the GPU; 1 on a CPU."""

Row = dict[str, float]
"""A line of the history: epoch, step, learning rate, training and validation losses."""


class Batch(Protocol):
    """A micro-batch of a task."""

    @property
    def counts(self) -> Mapping[str, float]:
        """Terms of each loss, known before the network runs."""


class TrainingTask(Protocol):
    """What is trained.

    Attributes:
        updates: optimiser steps of an epoch.
        weights: weight of each loss.
    """

    updates: int
    weights: Mapping[str, float]

    def batches(self, epoch: int, start: int) -> Iterator[Sequence[Batch]]:
        """Micro-batches of this process for each update of an epoch, from `start` on."""

    def sums(self, model: Any, batch: Any) -> dict[str, Tensor]:
        """Sum of each loss over its terms."""

    def validate(self, model: Any) -> Row:
        """Validation values, the same in every process; `loss` decides; empty: no validation."""


@dataclass
class _Run:
    """Where a run stands: everything of a checkpoint that is not a tensor."""

    epoch: int = 0
    step: int = 0
    """Steps done in this epoch."""
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    first_loss: float = 0.0
    smooth_loss: float = 0.0
    best_loss: float = math.inf
    """Of the epoch that is kept; where the plan keeps the best macro F1, the share missing to 1."""
    best_epoch: int = -1
    history: list[Row] = field(default_factory=list)
    finished: bool = False


class Terminated(SystemExit):
    """A signal to stop arrived and the run was saved."""


def fit(
    model: nn.Module,
    task: TrainingTask,
    plan: Plan,
    *,
    checkpoint: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    observers: Sequence[Callable[[Row], None]] = (),
    progress: Callable[[int, int, float], None] | None = None,
) -> list[Row]:
    """Train a model in place; afterwards it holds the weights of the best validation, if any.

    Args:
        model: on its device.
        task: batches and losses.
        plan: the recipe.
        checkpoint: folder to save in and to resume from; None: nothing is saved.
        settings: what must be the same for a checkpoint to be resumed; JSON values.
        observers: called with each line of the history.
        progress: called with (steps done, steps in all, loss) after each step.

    Returns:
        The history, one line an epoch.

    Raises:
        SitsError: the loss is not finite or diverges, or a checkpoint cannot be written or read.
        Terminated: a signal to stop arrived; the checkpoint is saved.
    """
    loop = _Loop(model, task, plan, checkpoint, fingerprint(settings or {}))
    with deterministic(plan.deterministic and loop.device.type == "cuda"), _Stop() as stop:
        loop.resume()
        while not loop.run.finished:
            loop.epoch(stop, progress)
            for observer in observers if distributed.rank() == 0 else ():
                observer(loop.run.history[-1])
    if loop.best:
        model.load_state_dict(loop.best)
    return loop.run.history


class _Loop:
    """State of `fit`; one method a stage."""

    def __init__(
        self,
        model: nn.Module,
        task: TrainingTask,
        plan: Plan,
        checkpoint: Path | None,
        fingerprint: str,
    ) -> None:
        self.model, self.task, self.plan = model, task, plan
        self.checkpoint, self.fingerprint = checkpoint, fingerprint
        self.device = next(model.parameters()).device
        self.updates = Updates(model, task, plan)
        self.best: dict[str, Tensor] = {}
        self.run = _Run()
        self.waiting = 0
        self.look = 1 if self.device.type == "cpu" else CHECK_EVERY
        if plan.compile:
            for layer in model.modules():
                if isinstance(layer, Layer):
                    layer.compile(dynamic=True)

    def resume(self) -> None:
        """Resume from the checkpoint, if there is one of this very run."""
        found = checkpoints.load(self.checkpoint) if self.checkpoint is not None else None
        if found is None:
            return
        state, tensors = found
        if state.pop("fingerprint") != self.fingerprint:
            logger.info(
                "%s is of other settings or versions: training starts afresh", self.checkpoint
            )
            return
        self.best = checkpoints.restore(tensors, self.model, self.updates.optimiser)
        self.run = _Run(**state)
        logger.info("resumed from %s: epoch %d", self.checkpoint, self.run.epoch + 1)

    def save(self) -> None:
        """Write the checkpoint (one process does)."""
        self.look_at_loss()
        if self.checkpoint is not None and distributed.rank() == 0:
            state = {**vars(self.run), "fingerprint": self.fingerprint}
            optimiser = None if self.run.finished else self.updates.optimiser
            checkpoints.save(self.checkpoint, self.model, self.best, optimiser, state)

    def epoch(self, stop: _Stop, progress: Callable[[int, int, float], None] | None) -> None:
        """Train the rest of an epoch, validate, save."""
        run, plan = self.run, self.plan
        updates = self.task.updates * plan.epochs
        self.model.train()
        for micro in self.task.batches(run.epoch, run.step):
            done = run.epoch * self.task.updates + run.step
            asked_to_stop = self.step(micro, done, updates, stop)
            run.step += 1
            if progress is not None:
                progress(done + 1, updates, run.smooth_loss)
            if asked_to_stop:
                self.save()
                distributed.wait()
                logger.info("terminated: saved after step %d of %d", done + 1, updates)
                raise Terminated(TERMINATED)
            if (done + 1) % plan.checkpoint_every == 0:
                self.save()
        self.look_at_loss()
        self.close_epoch()
        self.save()

    def step(self, micro: Sequence[Batch], done: int, updates: int, stop: _Stop) -> bool:
        """One step of the optimiser; whether any process was asked to stop."""
        plan, run = self.plan, self.run
        self.updates.rate = learning_rate(plan, done, updates, run.epoch)
        names = list(self.task.weights)
        counts = [sum(batch.counts[name] for batch in micro) for name in names]
        *counts, asked = distributed.add_up([*counts, float(stop.arrived)])
        if not any(counts):
            return asked > 0  # nothing to learn from: no process has a label
        seeds = [(plan.seed, done, i, distributed.rank()) for i in range(len(micro))]
        self.updates(micro, seeds, counts, self.note)
        for name, count in zip(names, counts, strict=True):
            run.counts[name] = run.counts.get(name, 0.0) + count
        return asked > 0

    def note(self) -> None:
        """Count an update, and look at the loss now and then."""
        self.waiting += 1
        if self.waiting == self.look:
            self.look_at_loss()

    def look_at_loss(self) -> None:
        """Read the losses since the last look; stop if they are not finite or far too large."""
        if self.waiting == 0:
            return
        run = self.run
        *sums, value = distributed.add_up(self.updates.pending.tolist())
        for name, found in zip(self.task.weights, sums, strict=True):
            run.sums[name] = run.sums.get(name, 0.0) + found
        value /= self.waiting
        self.updates.pending.zero_()
        self.waiting = 0
        run.first_loss = run.first_loss or value
        run.smooth_loss = 0.95 * (run.smooth_loss or value) + 0.05 * value
        limit = DIVERGED * run.first_loss
        if math.isfinite(value) and run.smooth_loss < limit:
            return
        what = "diverges" if math.isfinite(value) else "is not finite"
        kept = (
            f"the last good checkpoint is kept in {self.checkpoint}"
            if self.checkpoint is not None
            else "nothing was saved"
        )
        raise SitsError(
            f"the training loss {what} ({value:.4g}, first {run.first_loss:.4g}) in epoch "
            f"{run.epoch + 1}, step {run.step + 1}, at learning rate "
            f"{self.updates.rate:.2g}; {kept}. Lower the learning rate, "
            "lengthen the warm-up, or look for broken samples"
        )

    def close_epoch(self) -> None:
        """Validate, extend the history, decide whether that was the last epoch."""
        run, plan = self.run, self.plan
        updates = self.task.updates
        # Of the last step, which may have been done before the run was resumed.
        last = run.epoch * updates + max(run.step - 1, 0)
        row: Row = {
            "epoch": run.epoch + 1,
            "step": (run.epoch + 1) * updates,
            "learning_rate": learning_rate(plan, last, updates * plan.epochs, run.epoch),
        }
        for name, value in run.sums.items():
            row[f"train_{name}"] = value / max(run.counts[name], 1.0)
        found = self.task.validate(self.model)
        row |= {f"validation_{name}": value for name, value in found.items()}
        run.history.append(row)
        if found and self.better(found):
            run.best_epoch = run.epoch
            self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        run.epoch, run.step, run.sums, run.counts = run.epoch + 1, 0, {}, {}
        waited = run.epoch - 1 - run.best_epoch
        run.finished = run.epoch == plan.epochs or (
            plan.patience is not None and bool(found) and waited >= plan.patience
        )

    def better(self, found: Row) -> bool:
        """Whether the weights are to be kept by what validation found; notes by how much."""
        run, by_loss = self.run, self.plan.keep == "loss"
        value = found["loss"] if by_loss else 1.0 - found[self.plan.keep]
        # SITS-Former's code keeps the later one of equals.
        better = value < run.best_loss if by_loss else value <= run.best_loss
        run.best_loss = value if better else run.best_loss
        return better


class _Stop:
    """Remembers a signal to stop instead of dying of it: the step under way is to be saved."""

    arrived = False

    def __enter__(self) -> _Stop:
        self._before: dict[signal.Signals, Any] = {}
        try:
            for number in STOPS:
                self._before[number] = signal.signal(number, self._note)
        except ValueError:  # not the main thread: the process's own handling stays
            pass
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.arrived = True
