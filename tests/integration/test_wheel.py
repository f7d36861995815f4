"""What is installed is `elusive` and `elusive_cli` alone, and it works from anywhere."""

import ast
import itertools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from elusive.embedded import MODELS, SAMPLES

ROOT = Path(__file__).parents[2]
EMBEDDED_BYTES_BELOW = 10_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    source = folder / "source"  # a build in the checkout would leave its own files there, and find old ones
    for part in ("elusive", "cli", "recipes"):
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    subprocess.run([*pip, "--wheel-dir", folder, source], check=True)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_two_packages_and_what_they_ship(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    assert {name.split("/")[0] for name in sizes} == {"elusive", "elusive_cli", "elusive-0.1.0.dist-info"}
    assert "elusive/py.typed" in sizes
    assert wheel.stat().st_size < EMBEDDED_BYTES_BELOW
    embedded = {name: size for name, size in sizes.items() if name.startswith("elusive/embedded/")}
    assert set(embedded) == {"elusive/embedded/__init__.py"} | files_under(*MODELS.values(), *SAMPLES.values())
    assert "elusive/embedded/tiny-encoder/1_Pooling/config.json" in embedded
    assert sum(embedded.values()) < EMBEDDED_BYTES_BELOW


def test_of_the_recipes_the_yaml_files_alone_are_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if "recipes" in name and not name.startswith("elusive_cli/")}
        text = archive.read("elusive/recipes/nq-fine-tuned.yaml").decode()
    held -= {f"elusive/jobs/{file.name}" for file in (ROOT / "elusive" / "jobs").glob("recipe*.py")}
    yaml = {f"elusive/recipes/{file.name}" for file in (ROOT / "recipes").glob("*.yaml")}
    assert held == yaml | {"elusive/recipes/__init__.py"}
    assert text == (ROOT / "recipes" / "nq-fine-tuned.yaml").read_text(encoding="utf-8")


def files_under(*places: Path) -> set[str]:
    """The files that these places are or hold, by their paths in the checkout."""
    files = itertools.chain.from_iterable(place.rglob("*") if place.is_dir() else [place] for place in places)
    return {str(file.relative_to(ROOT)) for file in files if file.is_file()}


def test_every_module_of_the_checkout_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {str(f.relative_to(ROOT)) for f in (ROOT / "elusive").rglob("*.py")}
    modules |= {"elusive_" + str(f.relative_to(ROOT)) for f in (ROOT / "cli").rglob("*.py")}
    assert modules <= names


def test_installed_it_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # The dependencies, which are large, are those of this environment.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    code = "import elusive, elusive_cli.app; print(elusive.__file__); elusive_cli.app.main()"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [home / "bin" / "python", "-c", code, "augment", "--limit", "2", "--quiet"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(site))
    assert (tmp_path / "augmented" / "run.json").exists()
    code = "import elusive_cli.app; elusive_cli.app.main()"
    listed = subprocess.run(
        [home / "bin" / "python", "-c", code, "recipes", "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nq-fine-tuned" in listed.stdout


def test_all_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = itertools.chain.from_iterable(project["optional-dependencies"].values())
    requirements = [*project["dependencies"], *extras]
    declared = {re.split(r"[<>=\[ ]", requirement)[0].lower() for requirement in requirements}
    imported = set()
    for file in [*(ROOT / "elusive").rglob("*.py"), *(ROOT / "cli").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"elusive", "yaml", "faiss"}
    assert "torch" in foreign
    assert foreign <= declared, f"imported and not declared: {sorted(foreign - declared)}"
