"""`elusive compare-models`."""

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

from elusive.config import CompareModelsConfig

from ..calls import Call, options_of
from ..tables import UNKNOWN, plain, table_of
from ..words import count, duration, memory

if TYPE_CHECKING:
    from rich.table import Table

    from elusive.jobs.comparison import CompareModelsPlan, CompareModelsResult
    from elusive.statistics import Estimate

EPILOG = """
Examples:

  elusive compare-models                # the tiny pair, and turned round

  elusive compare-models docs.jsonl --pair Qwen/Qwen3-8B,Qwen/Qwen3-0.6B

  elusive compare-models docs.jsonl --config pairs.yaml --scores scores
"""


@options_of(
    CompareModelsConfig,
    argument="corpus",
    plan_help="Print what would be loaded and scored; write nothing.",
)
def compare_models(call: Call[CompareModelsConfig]) -> None:
    """Compare pairs of models on a sample of a corpus, to choose one before the whole corpus is scored.

    For each model: memory, speed, tokens and sink mass. For each pair: whether the tokenizers are the same, how alike
    the two models rank tokens, and what the corpus would cost. Between pairs: how alike their contrasts rank tokens,
    so that a cheap pair that ranks as a dear one does is found.

    Each model is loaded once, one at a time; one that cannot be used is left out, and its reason said. Costs are
    measured while scoring: of a model whose scores are there already, none is known.
    """
    from elusive.jobs import compare_models as job

    if call.dry_run:
        plan = job.plan(call.options, progress=call.progress)
        call.show_rows(plan, _plan_rows)
        return
    result = job.run(call.options, progress=call.progress)
    call.show(result, _show_tables)


def _plan_rows(plan: "CompareModelsPlan") -> list[tuple[str, str]]:
    rows = [
        ("texts", f"{plan.texts:,}, {plan.chars:,} characters"),
        ("rejected", f"{plan.rejected:,}"),
        ("sample", f"{plan.sample_texts:,} texts, {plan.sample_chars:,} characters"),
    ]
    for name, n in plan.to_score.items():
        rows.append((name, f"{n:,} texts to score" if n else "all scores are there already"))
    rows += [(name, f"left out: {why}") for name, why in plan.left_out.items()]
    for i, pair in enumerate(plan.pairs, 1):
        what = f"left out: {pair.error}" if pair.error else f"windows of {pair.window:,} tokens"
        rows.append((f"pair {i}", f"{pair.large}, {pair.small}: {what}"))
    return rows


def _show_tables(result: "CompareModelsResult") -> None:
    from rich.console import Console

    console = Console(highlight=False)
    devices = sorted({model.cost.device for model in result.models if model.cost})
    console.print(
        f"{result.sample_texts:,} of {result.texts:,} texts, {result.sample_chars:,} of {result.chars:,} characters"
        + (f"; {result.rejected:,} rows rejected" if result.rejected else "")
        + (f"; on {', '.join(devices)}" if devices else "")
    )
    letters = [_letter(i) for i in range(len(result.models))]
    for table in (_models(result, letters), _pairs(result, letters)):
        console.print()
        console.print(table)
    usable = [i for i, pair in enumerate(result.pairs) if not pair.error]
    if len(usable) > 1:
        console.print("\nρ of contrasts (share of the top tenth in common)")
        console.print(_contrasts(result, usable))
    console.print()
    for sentence in (*_left_out(result, letters), *result.summary):
        console.print(sentence, markup=False)


def _models(result: "CompareModelsResult", letters: Sequence[str]) -> "Table":
    costs = ("size", "dtype", "peak\nmemory", "s per M\ntokens", "tokens\nper text")
    table = table_of("", "model", numbers=(*costs, "prefix", "its\nsink", "last\nten"))
    for letter, model in zip(letters, result.models, strict=True):
        if model.error:
            table.add_row(letter, plain(model.name), "left out")
            continue
        cost = model.cost
        table.add_row(
            letter,
            plain(model.name),
            count(cost.parameters) if cost else UNKNOWN,
            cost.dtype if cost else UNKNOWN,
            memory(cost.peak_bytes) if cost else UNKNOWN,
            f"{1e6 * cost.seconds_per_token:,.0f}" if cost else UNKNOWN,
            f"{model.tokens_per_text:,.1f}",
            model.prefix or UNKNOWN,
            UNKNOWN if model.sink_mass is None else f"{model.sink_mass:.3f}",
            _mean(model.last_auc),
        )
    return table


def _pairs(result: "CompareModelsResult", letters: Sequence[str]) -> "Table":
    measures = ("window", "ρ of its\ntwo models", "first\nten", "last\nten")
    table = table_of("", "pair", "tokens", numbers=(*measures, "peak\nmemory", "s per M\ntokens", "whole\ncorpus"))
    for i, pair in enumerate(result.pairs, 1):
        models = f"{letters[pair.large]}, {letters[pair.small]}"
        if pair.error:
            table.add_row(str(i), models, "left out")
            continue
        cost = pair.cost
        table.add_row(
            str(i),
            models,
            f"{pair.aligned:.0%} aligned" if pair.aligned else "the same",
            f"{pair.window:,}",
            _mean(pair.large_small),
            _mean(pair.first_auc),
            _mean(pair.last_auc),
            memory(cost.peak_bytes) if cost else UNKNOWN,
            f"{cost.seconds_per_million_tokens:,.0f}" if cost else UNKNOWN,
            duration(cost.corpus_seconds) if cost else UNKNOWN,
        )
    return table


def _contrasts(result: "CompareModelsResult", usable: Sequence[int]) -> "Table":
    table = table_of("", numbers=[f"pair {i + 1}" for i in usable])
    for i in usable:
        cells = [_with_share(result.contrasts[i][j], result.top_tenth[i][j]) for j in usable]
        table.add_row(f"pair {i + 1}", *cells)
    return table


def _left_out(result: "CompareModelsResult", letters: Sequence[str]) -> list[str]:
    models = [f"{letter} is left out: {m.error}" for letter, m in zip(letters, result.models, strict=True) if m.error]
    known = {model.error for model in result.models}
    own = [(i, pair.error) for i, pair in enumerate(result.pairs, 1) if pair.error and pair.error not in known]
    return models + [f"Pair {i} is left out: {error}" for i, error in own]


def _mean(estimate: "Estimate | None") -> str:
    return UNKNOWN if estimate is None or estimate.mean is None else f"{estimate.mean:.2f}"


def _with_share(ranks: "Estimate | None", top: "Estimate | None") -> str:
    if ranks is None or ranks.mean is None or top is None or top.mean is None:
        return UNKNOWN
    return f"{ranks.mean:.2f} ({top.mean:.2f})"


def _letter(i: int) -> str:
    turns, place = divmod(i, len(string.ascii_uppercase))
    return string.ascii_uppercase[place] + (str(turns + 1) if turns else "")
