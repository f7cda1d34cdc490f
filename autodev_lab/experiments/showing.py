"""A run's executed notebook as it may be shown to others: without the places and hours of this machine."""

from __future__ import annotations

import nbformat

from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.private import refuse_private

__all__ = ["public_notebook"]


def public_notebook(run: RunDirectory) -> tuple[str, bytes]:
    """File name and content of the notebook that was executed with a run.

    Paths into the run are shortened to begin with its id; metadata that executing left (times, paths) is dropped.

    Parameters
    ----------
    run
        A run; it is only read.

    Raises
    ------
    LabError
        If the run has no executed notebook, or a secret or a path of this machine is left in it.
    """
    paths = sorted(run.notebook.glob("*.ipynb"))
    if not paths:
        raise LabError(
            f"run {run.id} has no executed notebook; go on with it with `autodev-lab run --resume {run.id}` to make one"
        )
    notebook = nbformat.read(paths[0], as_version=4)  # type: ignore[no-untyped-call]
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata = nbformat.NotebookNode()  # type: ignore[no-untyped-call]
    text = nbformat.writes(notebook).replace(str(run.path), run.id) + "\n"  # type: ignore[no-untyped-call]
    data = text.encode()
    refuse_private(run, {paths[0].name: data})
    return paths[0].name, data
