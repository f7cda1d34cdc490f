"""Executes an experiment's notebook over a finished run: the notebook's own call finds every cell done."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path

from autodev_lab.errors import LabError
from autodev_lab.experiments.conduct import AnyPlan
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.files import write_atomic
from autodev_lab.resources import resource

__all__ = ["execute_notebook"]

CELL_SECONDS = 600
"""A cell that reads a finished run takes seconds; one that takes this long hangs."""


def execute_notebook(plan: AnyPlan, directory: RunDirectory) -> Path | None:
    """Execute the notebook into the run directory, with an HTML copy beside it.

    Returns
    -------
    Path or None
        The executed notebook, or None when the experiment has none.

    Raises
    ------
    LabError
        If a cell of the notebook fails, or there is no kernel to run it with.
    """
    if not plan.notebook:
        return None
    source = resource(plan.notebook)
    target = directory.notebook / source.name
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        executed = Path(folder) / source.name
        _execute(source, executed, plan, directory)
        text = executed.read_text(encoding="utf-8")
        write_atomic(target, text)
        write_atomic(target.with_suffix(".html"), _html(executed))
    return target


def _execute(source: Path, target: Path, plan: AnyPlan, directory: RunDirectory) -> None:
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters={
                "profile": plan.profile,
                "seed": plan.seed,
                "run_directory": str(directory.path),
            },
            kernel_name="python3",
            progress_bar=False,
            log_output=False,
            execution_timeout=CELL_SECONDS,
            cwd=str(directory.path),
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
    except NoSuchKernel as error:
        raise LabError(
            "there is no Jupyter kernel `python3`; run `python -m ipykernel install --sys-prefix` or use --no-notebook"
        ) from error
    except PapermillExecutionError as error:
        raise LabError(
            f"cell {error.exec_count} of {source.name} failed ({error.ename}: {error.evalue}); the run itself is whole"
        ) from error


def _html(notebook: Path) -> str:
    from nbconvert import HTMLExporter

    try:
        exporter = HTMLExporter(template_name="lab")  # type: ignore[no-untyped-call]
        body, _ = exporter.from_filename(str(notebook))
    except ValueError as error:  # nbconvert's way to say that a template is missing
        raise LabError(f"nbconvert cannot make HTML ({error}); install nbconvert anew in this environment") from error
    return str(body)
