"""A job's output folder from the first lock to `run.json`: what is there already, and what of it a run may remove.

`run.json` holds the resolved options. The same ones in the same folder go on where an earlier run was, or find it done;
other ones are refused with the differences. What is the user's own stays, whatever happens. What the system refuses a
run at work in its folder becomes one line.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elusive.data.atomic import remove_leftovers
from elusive.data.folder_lock import WORK, locked, remove_lock_file
from elusive.data.run_record import RUN, WORKING_FOLDER, check_files, check_same, read_run, working_folder
from elusive.data.sealed import Seal, read_seals, write_sealed
from elusive.errors import ElusiveError, FolderError

_UNFINISHED = {"finished": False}
_CLEARING = {"finished": False, "clearing": True}  # what lies beside such a record may be an earlier run's


@dataclass(frozen=True)
class RunFolder:
    """A locked output folder.

    Attributes:
        path: the folder.
        options: the resolved options of this run.
    """

    path: Path
    options: Mapping[str, Any]

    @property
    def work(self) -> Path:
        """What only an unfinished run needs: `corpus`, and in `parts` a sealed record of each part written."""
        return self.path / WORK

    @property
    def finished(self) -> Mapping[str, Any] | None:
        """The `run.json` of a run that came to its end here; None where there is none.

        Raises:
            FolderError: a file that it wrote is gone, or has another size.
        """
        run = read_run(self.path)
        if not run or not run["finished"]:
            return None
        check_files(self.path, run["files"], by_size=True)
        return run

    def finish(self, record: Mapping[str, Any]) -> None:
        """Write the final `run.json`, with the seals of the parts, and remove what only an unfinished run needs.

        Raises:
            FolderError: the record of a part is damaged.
        """
        files: dict[str, Seal] = {}
        for part in sorted((self.work / "parts").glob("*.json")):
            try:
                seals = read_seals(part)
            except ValueError as error:
                raise FolderError(f"{part} cannot be read ({error}); run the same command again") from error
            files |= {Path(os.path.relpath(file, self.path)).as_posix(): seal for file, seal in seals.items()}
        begun = {"options": dict(self.options), WORKING_FOLDER: working_folder()}
        run = {"finished": True, **begun, **record, "files": files}
        write_sealed(self.path / RUN, run)
        _remove_work(self.path)


@contextlib.contextmanager
def open_run(
    path: Path, options: Mapping[str, Any], *, products: tuple[str, ...], overwrite: bool = False
) -> Iterator[RunFolder]:
    """Lock an output folder for one run.

    Args:
        path: the folder; made if need be.
        options: the resolved options of this run, as JSON has them.
        products: the files that a run makes, as patterns such as `data/train-*`: what `overwrite` removes.
        overwrite: start anew.

    Raises:
        FolderError: it cannot be written, another run holds it, it holds a run with other options, or things that
            are no run's.
    """
    options = json.loads(json.dumps(options))
    was_there = path.exists()
    with locked(path), _explained(path, was_there=was_there):
        before = check_free(path, options, products=products, overwrite=overwrite)
        anew = before is None or "clearing" in before
        if anew:
            _clear(path, options, products)
        elif before and before["finished"]:
            _remove_work(path)  # a kill may have come between the run's end and this
        for folder in (path, path / WORK, *_folders(path, products)):
            remove_leftovers(folder)
        if anew:
            write_sealed(path / RUN, {**_UNFINISHED, "options": options, WORKING_FOLDER: working_folder()})
        try:
            yield RunFolder(path, options)
        except ElusiveError:
            # Bad input leaves nothing half-made; scores stay, they are good whatever else was wrong.
            if anew and not any(file.parent != path for file in _made(path, products)):
                with contextlib.suppress(OSError, ElusiveError):  # the first refusal is the one to be told
                    _clear(path, options, products)
                    (path / RUN).unlink()
            raise


def check_free(
    path: Path, options: Mapping[str, Any], *, products: tuple[str, ...], overwrite: bool = False
) -> dict[str, Any] | None:
    """The record of the run that is to go on in a folder, None where one begins; reads only.

    Raises:
        FolderError: the folder holds a run with other options, told with the differences, or things that are no
            run's, which `overwrite` does not touch either.
    """
    before = read_run(path, or_damaged=overwrite)
    if not os.path.lexists(path / RUN):
        # Every run writes run.json before anything else; what lies there without one is the user's own.
        names = {Path(product).parts[0] for product in products}
        if foreign := sorted(name for name in names if os.path.lexists(path / name)):
            raise FolderError(
                f"{path} already holds {', '.join(foreign)} but no {RUN}, so they are no run's; name another --out"
            )
    if before is None or overwrite:
        return None
    now = json.loads(json.dumps(options))
    check_same(path, before["options"], now, begun_in=before.get(WORKING_FOLDER))
    return before


@contextlib.contextmanager
def _explained(path: Path, *, was_there: bool) -> Iterator[None]:
    """A refusal leaves no trace of its own in the folder; what the system refuses is told in one line."""
    try:
        yield
    except BrokenPipeError:  # nobody reads our output any more: that is no matter of the folder
        raise
    except ElusiveError:
        remove_lock_file(path)
        if not was_there:
            with contextlib.suppress(OSError):  # refused where anything is in it
                path.rmdir()
        raise
    except OSError as error:
        why = " ".join(str(error).split())
        if not (path / WORK).is_dir():
            why += "; was the folder moved or deleted meanwhile?"
        raise FolderError(
            f"the run in {path} cannot go on: {why}; mend it, and the same command goes on from what is there"
        ) from error


def _clear(path: Path, options: Mapping[str, Any], products: tuple[str, ...]) -> None:
    """Remove what a run made here. A kill in the midst of it leaves a record that says so, and the next run goes on."""
    if doomed := _removable(path, products):
        write_sealed(path / RUN, {**_CLEARING, "options": dict(options), WORKING_FOLDER: working_folder()})
        _remove(doomed)
        for folder in reversed(_folders(path, products)):  # what is inside another one first
            with contextlib.suppress(OSError):  # refused where a file of the user's is in it
                folder.rmdir()


def _remove_work(path: Path) -> None:
    with contextlib.suppress(OSError):  # the run is finished, and what is left is removed another time
        _remove(_removable(path, ()))


def _removable(path: Path, products: tuple[str, ...]) -> list[Path]:
    """All that may ever be deleted in an output folder: files with a product's name, and the unfinished run's work.

    Raises:
        FolderError: it is at the other end of a symbolic link, where a run may write but not delete.
    """
    for folder in _folders(path, products):
        if folder.is_symlink():
            raise FolderError(
                f"{folder} is a symbolic link, and nothing is deleted where it leads; "
                "delete the link, and what it leads to, or name another --out"
            )
    work = [path / WORK / name for name in ("corpus", "parts")]
    return [*_made(path, products), *(entry for entry in work if os.path.lexists(entry))]


def _remove(entries: list[Path]) -> None:
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def _made(path: Path, products: tuple[str, ...]) -> list[Path]:
    found = (file for product in products for file in sorted(path.glob(product)))
    return [file for file in found if file.is_symlink() or file.is_file()]


def _folders(path: Path, products: tuple[str, ...]) -> list[Path]:
    return sorted({(path / product).parent for product in products} - {path})
