"""Start a fresh interpreter beyond the wall: load this folder under a name of its own, then run a module's main."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

NAME = "_lab_inside"


def load(folder: Path) -> None:
    """Make this folder importable as `_lab_inside` without importing the lab."""
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not the lab's folder")
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path += [path for path in os.environ.pop("AUTODEV_LAB_RUNNER", "").split(os.pathsep) if path]
    load(Path(__file__).parent)
    arguments = sys.argv[2:]
    sys.exit(importlib.import_module(f"{NAME}.{sys.argv[1]}").main(*map(int, arguments)))
