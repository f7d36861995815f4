"""`elusive augment`."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from elusive.config import AugmentConfig
from elusive.embedded import is_embedded

from ..calls import Call, options_of
from ..words import changed_options, duration, memory

if TYPE_CHECKING:
    from elusive.clues.prefix import PrefixChoice
    from elusive.jobs.augment import AugmentResult
    from elusive.jobs.plan import AugmentPlan

_EXAMPLE_LEN = 240
_MANY_UNCHANGED = 0.1
EPILOG = """
Examples:

  elusive augment                      # the tiny family on a sample corpus

  elusive augment docs.jsonl --small Qwen/Qwen3-0.6B -o out

  elusive augment docs.csv --small Qwen/Qwen3-0.6B --text-column body --target-rate 0.15 -o out

  elusive augment docs.jsonl --preset paper --large Qwen/Qwen3-8B --small Qwen/Qwen3-0.6B -o paper

  elusive augment docs.jsonl --guide random --match-rate surprisal:small --small Qwen/Qwen3-0.6B -o control

  elusive augment docs.jsonl -o out --push-to-hub you/name --private
"""


@options_of(AugmentConfig, argument="corpus")
def augment(call: Call[AugmentConfig]) -> None:
    """Give every token of a corpus a drop probability, so that training keeps its elusive clues.

    Tokens are ranked by a guide: how surprising they are to a model, or how much attention they receive in a large and
    in a small model of a family. The strongest are kept, the rest is dropped at random: anew in each epoch of
    elusive pretrain FOLDER --fresh, or in fixed --copies. The folder is a dataset: load_dataset(FOLDER) gives the
    texts, load_dataset(FOLDER, "clues") the scores.
    """
    if call.dry_run:
        from elusive.jobs.plan import plan_augment

        plan = plan_augment(call.options, overwrite=call.overwrite, progress=call.progress)
        call.show_rows(plan, _plan_rows)
        return
    from elusive.jobs.augment import run

    result = run(call.options, overwrite=call.overwrite, progress=call.progress)
    call.show_rows(result, _result_rows)
    if not call.quiet:
        _say_what_next(call.options)


def _result_rows(result: "AugmentResult") -> list[tuple[str, str]]:
    rate = result.drop_rate
    realised = rate["realised"] or 0.0
    has_copies = rate["realised"] is not None
    seconds = ", ".join(f"{stage} {spent:.1f}" for stage, spent in result.seconds.items())
    rows = [
        ("texts", f"{result.texts:,}"),
        ("tokens", f"{result.tokens:,}"),
        ("rejected", f"{result.rejected:,}" + ("  (rejected.jsonl)" if result.rejected else "")),
        ("rows written", f"{result.rows:,}"),
        ("drop rate", f"{rate['planned']:.3f} planned" + (f", {realised:.3f} realised" if has_copies else "")),
        *_prefix_rows(result),
        *([("copies equal to their original", _unchanged_words(result))] if has_copies else []),
        ("seconds", seconds),
        ("peak memory", memory(result.peak_bytes)),
        ("written to", result.out),
    ]
    report = Path(result.out) / "report.html"
    if report.exists():  # the page of a finished folder is its user's to move
        rows.append(("report", str(report)))
    if result.pushed_to:
        rows.append(("pushed to", result.pushed_to))
    example = result.example
    if example["clues"]:
        rows.append((f"clues of {example['source_id']}", ", ".join(example["clues"])))
    rows.append((f"{'copy' if has_copies else 'epoch'} 1 of {example['source_id']}", _shortened(example["text"])))
    if result.aligned:
        rows.insert(2, ("aligned texts", f"{result.aligned:,}  (the two tokenizers differ; scores were projected)"))
    return rows


def _prefix_rows(result: "AugmentResult") -> list[tuple[str, str]]:
    """What preceded the texts, how much attention it took, and what took a sink's share in its place."""
    if not result.prefixes:
        return []
    found = [f"{role} {_prefix_words(choice, result.sink_mass[role])}" for role, choice in result.prefixes.items()]
    rows = [("prefix", ", ".join(found))]
    if result.displaced_sinks:
        words = f"{result.displaced_sinks:,} tokens, left out of the ranks; see report.html, and try another --prefix"
        rows.append(("sinks in the texts", words))
    return rows


def _prefix_words(choice: "PrefixChoice", sink: float | None) -> str:
    taken = "" if sink is None else f", {sink:.3f} of all attention"
    return f"{choice.chosen.name} ({choice.chosen.token}{taken})"


def _unchanged_words(result: "AugmentResult") -> str:
    share = result.unchanged / max(result.rows, 1)
    advice = "  (short texts drop little: see --rank relative, --target-rate)" if share > _MANY_UNCHANGED else ""
    return f"{result.unchanged:,}{advice}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXAMPLE_LEN else line[: _EXAMPLE_LEN - 1] + "…"


def _plan_rows(plan: "AugmentPlan") -> list[tuple[str, str]]:
    rows = [
        ("texts", f"{plan.texts:,}"),
        ("tokens", f"about {plan.tokens:,}"),
        ("rejected", f"{plan.rejected:,}"),
        ("rows to write", f"{plan.rows:,}"),
    ]
    for side in plan.models:
        todo = side.texts_to_score
        room = f"{memory(side.weight_bytes)} of weights, {memory(side.peak_bytes)} with a sample"
        cost = f"{todo:,} texts in about {side.passes:,} passes, {duration(side.seconds)}, {room}"
        rows.append(
            (
                f"{side.role} model, {side.quantity}",
                f"{side.name}: " + (cost if todo else "all scores are there already"),
            )
        )
    rows.append(changed_options(plan.options, AugmentConfig))
    return rows


def _say_what_next(config: AugmentConfig) -> None:
    embedded = [name for name in (config.corpus, config.large, config.small) if name and is_embedded(name)]
    if embedded:
        typer.echo(
            f"{', '.join(embedded)}: shipped for trying things out; for real work name your corpus and, by --small, "
            "the model that you train or a smaller one of its family",
            err=True,
        )
    fresh = "" if config.copies else " --fresh"
    typer.echo(f"train on it: elusive pretrain {config.out} --model MODEL{fresh}", err=True)
    typer.echo(f'load it: datasets.load_dataset("{config.out}"), or with "clues" for the scores', err=True)
