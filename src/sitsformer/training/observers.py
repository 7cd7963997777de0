"""Who watches a training: progress bar, TensorBoard, MLflow. Imported only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sitsformer.errors import SitsError
from sitsformer.training import distributed
from sitsformer.training.loop import Row


@contextmanager
def bar(name: str, steps: int) -> Iterator[Callable[[int, int, float], None] | None]:
    """A progress bar of the first process; give what it yields to `fit`."""
    if distributed.rank() != 0:
        yield None
        return
    from sitsformer.progress import Progress

    with Progress(total=steps, desc=name, unit="steps") as shown:

        def step(done: int, _steps: int, loss: float) -> None:
            shown.set_postfix(loss=f"{loss:.4f}", refresh=False)
            shown.update(done - shown.n)

        yield step


def observers(
    tensorboard: Path | None, mlflow: str | None, settings: Mapping[str, Any]
) -> list[Callable[[Row], None]]:
    """What gets each line of the history.

    Args:
        tensorboard: folder of event files; None: none.
        mlflow: tracking URI; None: none.
        settings: of the run, as MLflow's parameters.

    Raises:
        SitsError: TensorBoard or MLflow is asked for and not installed.
    """
    found: list[Callable[[Row], None]] = []
    if distributed.rank() != 0:
        return found
    if tensorboard is not None:
        found.append(_tensorboard(tensorboard))
    if mlflow is not None:
        found.append(_mlflow(mlflow, settings))
    return found


def _tensorboard(folder: Path) -> Callable[[Row], None]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise SitsError(
            "TensorBoard was asked for and is not installed: `pip install tensorboard`, or leave "
            "--tensorboard out"
        ) from None

    writer = SummaryWriter(str(folder))

    def write(row: Row) -> None:
        for name, value in row.items():
            kind, _, what = name.partition("_")
            tag = f"{what}/{kind}" if kind in ("train", "validation") else name
            writer.add_scalar(tag, value, int(row["step"]))
        writer.flush()

    return write


def _mlflow(uri: str, settings: Mapping[str, Any]) -> Callable[[Row], None]:
    try:
        import mlflow
    except ImportError:
        raise SitsError(
            "MLflow was asked for and is not installed: `pip install mlflow-skinny`, or leave "
            "--mlflow out"
        ) from None
    mlflow.set_tracking_uri(uri)
    mlflow.start_run()
    mlflow.log_params({k: v for k, v in settings.items() if not isinstance(v, Mapping)})
    return lambda row: mlflow.log_metrics(row, step=int(row["step"]))
