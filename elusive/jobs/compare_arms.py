"""`elusive compare-arms`: did one way of training teach more than another, and how sure is that?

    read      folders of `elusive evaluate`, an arm's in the order of their names, and how their models were trained
    compare   question by question, over groups of questions and over seeds
    write     `arms.json`, `arms.md` and `report.html`; with --best, options for `elusive augment`

The same bytes for the same evaluations. No model is loaded.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from elusive import __version__
from elusive.config import ARMS_NEUTRAL_OPTIONS, CompareArmsConfig, build
from elusive.data.atomic import write_json, write_text
from elusive.data.run_folder import RunFolder, check_free, open_run
from elusive.data.run_record import RUN
from elusive.data.sealed import write_sealed
from elusive.errors import FolderError
from elusive.evaluation.arms import compare
from elusive.evaluation.arms_options import best_options
from elusive.evaluation.arms_reading import Arm, Evaluation, read_arms
from elusive.evaluation.arms_result import ArmsComparison
from elusive.evaluation.result import ANSWERS
from elusive.progress import Bars, Progress
from elusive.report.arms_markdown import arms_markdown
from elusive.report.arms_page import arms_page

PRODUCTS: Final = ("arms.json", "arms.md", "report.html")
ROWS_VERSION: Final = 1
"""To be raised when the same evaluations would give other figures or words than before."""


@dataclass(frozen=True, kw_only=True)
class CompareArmsResult:
    """A comparison, and where it lies.

    Attributes:
        comparison: all figures, and the verdict in words.
        best_options: what --best wrote; None where it was not asked for.
        already_done: the folder held this very run.
        out: the folder.
    """

    comparison: ArmsComparison
    best_options: Mapping[str, Any] | None = None
    already_done: bool = False
    out: str


@dataclass(frozen=True, kw_only=True)
class ArmsPlan:
    """What would be compared.

    Attributes:
        folders: of each arm, in the order of its seeds.
        questions, groups: of each arm; questions are counted at each seed, a group once.
    """

    folders: Mapping[str, tuple[str, ...]]
    questions: int
    groups: int


def compare_arms(
    arm: Mapping[str, str] | Sequence[str],
    *,
    out: str | Path = "arms",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> CompareArmsResult:
    """Compare arms, each a set of folders of `elusive evaluate`, one for each seed.

    Args:
        arm: patterns of folders, by the name of the arm; or `NAME=PATTERN` of each.
        out: the output folder.
        overwrite: start anew in a folder that holds another run.
        progress: where to report; stderr by default.
        **options: the fields of `elusive.config.CompareArmsConfig`, which are the command's options.

    Raises:
        ElusiveError: anything that the user can mend, in one line.
    """
    config = build(CompareArmsConfig, {"arm": arm, "out": str(out), **options})
    return run(config, overwrite=overwrite, progress=progress or Bars())


def run(config: CompareArmsConfig, *, overwrite: bool = False, progress: Progress) -> CompareArmsResult:
    """`compare_arms` from validated options."""
    arms = read_arms(config.arms)
    comparison = compare(arms, references=config.references, seed=config.seed)
    chosen = best_options(comparison) if config.best else None
    with open_run(Path(config.out), _recorded(config, arms), products=PRODUCTS, overwrite=overwrite) as folder:
        is_done = folder.finished is not None
        if is_done:
            progress.say(f"{config.out} already holds this run, finished; nothing to do (--overwrite starts anew)")
        else:
            _write(folder, config, comparison)
    if config.best and chosen is not None:
        _write_best(Path(config.best), comparison.best, chosen, overwrite=overwrite)
    return CompareArmsResult(comparison=comparison, best_options=chosen, already_done=is_done, out=config.out)


def plan(config: CompareArmsConfig, *, overwrite: bool = False) -> ArmsPlan:
    """What `run` would compare; writes nothing.

    Raises:
        ElusiveError: whatever the run itself would refuse at its start.
    """
    arms = read_arms(config.arms)
    check_free(Path(config.out), _recorded(config, arms), products=PRODUCTS, overwrite=overwrite)
    return ArmsPlan(
        folders={arm.name: tuple(str(one.folder) for one in arm.evaluations) for arm in arms},
        questions=sum(len(one.answers) for one in arms[0].evaluations),
        groups=len({answer.group for one in arms[0].evaluations for answer in one.answers}),
    )


def _recorded(config: CompareArmsConfig, arms: Sequence[Arm]) -> dict[str, Any]:
    """What decides a run's files: the options, and what was read."""
    recorded = config.model_dump(mode="json", exclude=set(ARMS_NEUTRAL_OPTIONS))
    return recorded | {
        "rows_version": ROWS_VERSION,
        "evaluations": {arm.name: [_digest(one) for one in arm.evaluations] for arm in arms},
    }


def _digest(evaluation: Evaluation) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in (RUN, ANSWERS):
        digest.update((evaluation.folder / name).read_bytes())
    digest.update(json.dumps(asdict(evaluation.training), sort_keys=True).encode())
    return digest.hexdigest()


def _write(folder: RunFolder, config: CompareArmsConfig, comparison: ArmsComparison) -> None:
    write_json(folder.path / "arms.json", asdict(comparison))
    write_text(folder.path / "arms.md", arms_markdown(comparison))
    write_text(folder.path / "report.html", arms_page(comparison, seed=config.seed, version=__version__))
    parts = folder.work / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    write_sealed(parts / "arms.json", {}, files=[folder.path / name for name in PRODUCTS])
    result = {"best": comparison.best, "verdict": comparison.verdict, "warnings": comparison.warnings}
    folder.finish({"result": result, "versions": {"elusive": __version__, "numpy": np.__version__}})


def _write_best(file: Path, arm: str, options: Mapping[str, Any], *, overwrite: bool) -> None:
    """Options as YAML; a file with anything else in it stays, unless told.

    Raises:
        FolderError: it would not stay, or cannot be written.
    """
    text = f"# elusive augment, as for the best arm: {arm}\n" + yaml.safe_dump(dict(options), sort_keys=False)
    if file.exists() and not overwrite and (not file.is_file() or file.read_bytes() != text.encode()):
        raise FolderError(f"{file} is there already, with something else in it; name another --best, or --overwrite")
    write_text(file, text)
