"""The closed choices that options take, each named once, and the paper's defaults. Costs nothing to import."""

from typing import Literal, TypeAlias

Guide: TypeAlias = Literal["contrast", "attention:large", "attention:small", "random"]
"""What ranks a text's units; all but `contrast` are its controls."""

ContrastKind: TypeAlias = Literal["difference", "log-ratio", "rank-difference"]
"""How the two models' scores are compared."""

UnitKind: TypeAlias = Literal["token", "word"]
"""What is dropped as one."""

DropMode: TypeAlias = Literal["delete", "blank", "mask"]
"""What a drop leaves behind."""

RankKind: TypeAlias = Literal["absolute", "relative"]
"""Ranks as they are, or relative to the text's length."""

RowFormat: TypeAlias = Literal["parquet", "jsonl", "csv"]
"""The format of data and clues."""

Impl: TypeAlias = Literal["auto", "exact", "fast"]
"""How attention is reduced: `exact` runs the model's own eager attention on chunks of rows; `fast` the
log-sum-exp path on CPU; `auto` takes `fast` wherever it has been shown equal on that very layer."""

ALPHA, BETA = 0.7, 0.05
"""Eq. 1's ceiling and rate, as the paper has them for LLaMA 3 8B on biographies."""
MASK = "[MASK]"
