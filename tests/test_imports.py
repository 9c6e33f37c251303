"""The floors of the house are kept by tools; each tool must see what it is there for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded import BASE_DIR

FLOORS = ["config", "assessments", "production", "factories", "accounts", "notifications"]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


@pytest.fixture
def copy(tmp_path):
    """A copy of the source, to plant faults in."""
    for floor in FLOORS:
        shutil.copytree(BASE_DIR / floor, tmp_path / floor, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
    shutil.copy(BASE_DIR / "pyproject.toml", tmp_path)
    return tmp_path


def run(command, place):
    done = subprocess.run([str(arg) for arg in command], cwd=place, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def check_contracts(place):
    return run([LINT_IMPORTS, "--no-cache"], place)


def plant(path, line):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line + "\n" + (path.read_text() if path.exists() else ""))


@pytest.mark.parametrize(
    "module, line, contract",
    [
        ("accounts/planted.py", "import production.models", "Each floor imports only the floors below it"),
        ("notifications/planted.py", "from accounts import models", "Each floor imports only the floors below it"),
        ("assessments/planted.py", "from config import settings", "Each floor imports only the floors below it"),
        ("production/sampling.py", "from production import views", "Only URLs import views"),
        ("production/sampling.py", "from production import forms", "Only views and the admin import forms"),
        ("assessments/grading.py", "from assessments import tasks", "Nobody imports tasks; they are called by name"),
        ("assessments/views/planted.py", "from assessments import tasks", "Nobody imports tasks"),
        ("notifications/tasks.py", "from notifications import views", "Tasks import neither views nor forms"),
    ],
)
def test_a_planted_import_is_caught(copy, module, line, contract):
    imported = line.split()[-1]
    for floor in ("production", "assessments", "notifications"):
        if line.startswith(f"from {floor} ") and not (copy / floor / imported).is_dir():
            (copy / floor / f"{imported}.py").touch()
    plant(copy / module, line)
    code, said = check_contracts(copy)
    assert code == 1, said
    broken = [line for line in said.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), said


def test_the_house_as_it_stands_keeps_its_contracts(copy):
    code, said = check_contracts(copy)
    assert code == 0, said


def test_an_import_inside_a_function_is_caught(copy):
    plant(copy / "accounts" / "planted.py", "def late():\n    import json\n\n    return json")
    code, said = run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", "accounts"], copy
    )
    assert code == 1
    assert "planted.py:2:5: PLC0415" in said
