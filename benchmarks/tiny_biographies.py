"""What `elusive recipes run tiny-biographies`, and `-map` in the same folder, found: figures, tables and picture.

    python benchmarks/tiny_biographies.py RUN_FOLDER --out benchmarks/results/tiny_biographies.json
    python benchmarks/tiny_biographies.py RUN_FOLDER --check

Every comparison of the folder as `elusive compare-arms` wrote it: exact match of each arm, and paired differences;
intervals draw people again, within each seed. Nothing is left out: what the folder lacks is an error.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from agreement import add_choices, written_or_compared
from scoring import machine

COMMITTED: Final = Path(__file__).resolve().parent / "results" / "tiny_biographies.json"
COMPARISONS: Final = {
    "chosen": "choose/compared",
    "arms": "compared",
    "known": "known-compared",
    **{f"map, {change}": f"map/{change}" for change in ("lora", "fresh", "masks", "ten", "short", "competent")},
}


def collected(folder: Path) -> dict[str, Any]:
    """All comparisons, α and β, and what the small model that is not weak knows."""
    found: dict[str, Any] = {name: comparison(folder / place) for name, place in COMPARISONS.items()}
    asked = json.loads((folder / "competent-asked" / "run.json").read_text(encoding="utf-8"))
    return found | {
        "settings": yaml.safe_load((folder / "chosen.yaml").read_text(encoding="utf-8")),
        "competent small, exact match on known people": asked["result"]["exact_match"],
    }


def comparison(folder: Path) -> dict[str, Any]:
    """The figures of one comparison, those of exact match alone."""
    written = json.loads((folder / "arms.json").read_text(encoding="utf-8"))
    return {
        "seeds": written["n_seeds"],
        "questions": written["n_questions"],
        "arms": [_arm(arm) for arm in written["arms"]],
        "differences": [_difference(one) for one in written["differences"] if one["measure"] == "exact_match"],
        "verdict": written["verdict"],
        "warnings": written["warnings"],
    }


def _arm(arm: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": arm["name"],
        "exact match": arm["estimates"]["exact_match"],
        "fields": {field: estimate["mean"] for field, estimate in arm["fields"].items()},
        "seeds": [
            {"exact match": seed["means"]["exact_match"], "steps": seed["steps"], "drop rate": seed["drop_rate"]}
            for seed in arm["seeds"]
        ],
        "perplexity": {name: spread["mean"] for name, spread in arm["perplexities"].items()},
    }


def _difference(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": f"{one['arm']} over {one['reference']}",
        **one["difference"],
        "seeds": one["by_seed"],
        "over seeds": one["over_seeds"],
        "word": one["word"],
    }


def markdown(content: Mapping[str, Any]) -> str:
    """A table for each comparison, and the map in one, as the README shows it."""
    return "\n".join([*(line for name in COMPARISONS for line in _table(name, content[name])), *_map(content)])


def _map(content: Mapping[str, Any]) -> Iterator[str]:
    yield "| changed | plain | random | contrast | contrast over random | by seed |"
    yield "|---|---:|---:|---:|---:|---|"
    for name in ("arms", *(name for name in COMPARISONS if name.startswith("map"))):
        means = {arm["name"]: _number(arm["exact match"]["mean"]) for arm in content[name]["arms"]}
        contrast = "contrast, competent small" if "competent" in name else "contrast"
        [over] = [one for one in content[name]["differences"] if one["name"] == f"{contrast} over random"]
        seeds = ", ".join(_number(seed, sign="+") for seed in over["seeds"])
        cells = [means.get("plain", ""), means["random"], means[contrast], _cell(over, sign="+"), seeds]
        yield f"| {name.removeprefix('map, ')} | {' | '.join(cells)} |"
    yield ""


def _table(name: str, compared: Mapping[str, Any]) -> Iterator[str]:
    references = list(dict.fromkeys(one["name"].rpartition(" over ")[2] for one in compared["differences"]))
    yield f"**{name}** ({compared['seeds']} seeds, {compared['questions']:,} questions)\n"
    yield f"| arm | exact match | {' | '.join(f'over {reference}' for reference in references)} | seeds |"
    yield "|---|---|" + "---|" * (len(references) + 1)
    by_name = {one["name"]: one for one in compared["differences"]}
    for arm in compared["arms"]:
        over = [_cell(by_name.get(f"{arm['name']} over {reference}"), sign="+") for reference in references]
        seeds = ", ".join(_number(seed["exact match"]) for seed in arm["seeds"])
        yield f"| {arm['name']} | {_cell(arm['exact match'])} | {' | '.join(over)} | {seeds} |"
    yield ""


def _cell(figure: Mapping[str, Any] | None, sign: str = "") -> str:
    if figure is None:
        return ""
    mean, low, high = (_number(figure[key], sign) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign}.3f}".replace("0.", ".", 1)


def picture(content: Mapping[str, Any], path: Path) -> None:
    """Each arm's difference to random dropout, with interval and seeds, in the setting and each change of it."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "elusive"
    shown = [name for name in COMPARISONS if name == "arms" or name.startswith("map")]
    rows = [
        (name, one)
        for name in shown
        for one in content[name]["differences"]
        if one["name"].endswith(" over random") and "oracle" not in one["name"] and "rewritten" not in one["name"]
        if "competent" not in name or "competent" in one["name"]  # its other arms are those of the first rows
    ]
    figure, axes = plt.subplots(figsize=(8, 0.3 * len(rows) + 1))
    for place, (_, one) in enumerate(reversed(rows)):
        axes.plot([one["low"], one["high"]], [place, place], color="0.5", linewidth=2)
        axes.plot(one["seeds"], [place] * len(one["seeds"]), "|", color="0.3", markersize=8)
        axes.plot(one["mean"], place, "o", color="C0")
    axes.axvline(0, color="0.7", linewidth=1)
    named = [(name.removeprefix("map, "), one["name"].removesuffix(" over random")) for name, one in reversed(rows)]
    axes.set_yticks(range(len(rows)), [f"{name}: {arm}" for name, arm in named])
    axes.set_xlabel("exact match above random dropout at the same rate (95 % over people; strokes are seeds)")
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Show the tables, and write or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of `elusive recipes run tiny-biographies`")
    parser.add_argument("--picture", type=Path, help="where the picture goes")
    add_choices(parser)
    arguments = parser.parse_args()
    content = {"procedure": __doc__, "machine": machine(), **collected(arguments.folder)}
    print(markdown(content))
    if arguments.picture:
        picture(content, arguments.picture)
    sys.exit(written_or_compared(content, arguments, committed=COMMITTED))


if __name__ == "__main__":
    main()
