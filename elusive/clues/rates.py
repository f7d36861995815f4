"""The plan of a run that was asked for a rate: β solved for it, or another guide's rate taken over."""

from dataclasses import replace

from elusive.choices import Guide
from elusive.clues.dropout import RankHistogram
from elusive.clues.scored_corpus import ScoredCorpus
from elusive.clues.text_clues import DropPlan
from elusive.progress import Progress


def at_rate(plan: DropPlan, corpus: ScoredCorpus, target: float, *, progress: Progress) -> DropPlan:
    """The same plan with the mean drop probability `target` over all droppable units of the corpus.

    Raises:
        OptionError: a rate that α cannot reach on this corpus.
    """
    if plan.uniform:
        return replace(plan, alpha=target)
    return replace(plan, beta=_histogram(plan, corpus, progress).solve_beta(target, alpha=plan.alpha))


def matched_to(plan: DropPlan, corpus: ScoredCorpus, guide: Guide, *, progress: Progress) -> DropPlan:
    """The same plan, dropping as much as `guide` would with its α and β."""
    if guide == corpus.settings.guide:
        return plan
    if guide == "random":
        return at_rate(plan, corpus, plan.alpha, progress=progress)
    model = replace(plan, uniform=False)
    rate = _histogram(model, corpus.guided_by(guide), progress).mean_rate(alpha=model.alpha, beta=model.beta)
    return at_rate(plan, corpus, rate, progress=progress)


def _histogram(plan: DropPlan, corpus: ScoredCorpus, progress: Progress) -> RankHistogram:
    histogram = RankHistogram()
    with progress.stage("plan", total=corpus.staged.n_texts, unit="texts") as advance:
        for scored in corpus.texts(range(corpus.staged.n_chunks)):
            histogram.add(plan.effective_ranks(scored.clues))
            advance(1)
    return histogram
