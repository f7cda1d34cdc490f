"""What `import autodev_lab` offers, and that it starts fast."""

import subprocess
import sys

import pytest

import autodev_lab


@pytest.mark.parametrize("name", autodev_lab.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(autodev_lab, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'teleport'"):
        _ = autodev_lab.teleport


def test_importing_the_package_imports_no_heavy_library():
    code = (
        "import sys, autodev_lab; "
        "print([name for name in ('mlflow', 'pandas', 'matplotlib', 'sklearn', 'papermill') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
