"""The house of `elusive augment`: a corpus and two models. A chunk is one text, so that a small corpus has many."""

from types import MappingProxyType
from typing import Any

from elusive.clues.scoring import Scorer
from elusive.clues.writing import PartWriter
from elusive.data.staging import stage_corpus
from elusive.jobs.augment import augment
from tests.integration.faults.house import House
from tests.integration.faults.moments import Watch


class AugmentHouse(House):
    """See `House`."""

    job = "augment"
    data, models, store = "corpus.jsonl", ("large", "small"), "scores"
    results = ("data/", "clues/")
    counts_parts = True
    beside = ("notes.txt", "data/notes.txt", "clues/mine/train-00000-of-00001.parquet", "scores/mine", ".elusive/mine")
    others_in_the_way = (
        "README.md", "report.html", "rejected.jsonl", "data/train-00000-of-00001.jsonl", "clues/notes.txt",
    )  # fmt: skip
    another = MappingProxyType({"format": "jsonl", "copies": 1})

    def call(self, **options: Any) -> object:
        large, small = (str(self.home / name) for name in self.models)
        given = {"large": large, "small": small, "preset": "paper", "copies": 2, "target_rate": 0.3}
        return augment(self.home / self.data, **(given | options))

    @property
    def command_line(self) -> list[str]:
        models = [word for name in self.models for word in (f"--{name}", str(self.home / name))]
        corpus = str(self.home / self.data)
        options = ["--preset", "paper", "--copies", "2", "--target-rate", "0.3"]
        return ["augment", corpus, *models, "--out", str(self.out), *options]

    def prepare(self, watch: Watch) -> None:
        if self.small_chunks:
            stage_corpus.__kwdefaults__["max_texts"] = 1
        self.counted(Scorer, "score", lambda scorer, _probe, tokens: f"chunk {scorer.source.name} {tokens[0].ids[:9]}")
        self.counted(PartWriter, "write", lambda _writer, _index: "part")
