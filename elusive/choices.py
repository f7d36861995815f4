"""The closed choices that options take, each named once, and the paper's defaults. Costs nothing to import."""

from typing import Literal, TypeAlias

Guide: TypeAlias = Literal[
    "surprisal:small",
    "surprisal:large",
    "surprisal:difference",
    "entropy",
    "contrast",
    "attention:large",
    "attention:small",
    "surprisal+contrast",
    "random",
]
"""What ranks a text's units, the largest first; `elusive.clues.guides` has the formulas."""

ContrastKind: TypeAlias = Literal["difference", "log-ratio", "geometric", "rank-difference"]
"""How the two models' received attention is compared."""

RowWeighting: TypeAlias = Literal["uniform", "surprisal", "gap"]
"""How much the row of a token counts in received attention: 1, or what it predicts: the next token's surprisal in the
small model, or by how much that exceeds its surprisal in the large one."""

PrefixName: TypeAlias = Literal["auto", "bos", "eos", "newline", "chat"]
"""The token that precedes each text while it is scored; `auto` is chosen per model, `chat` begins its chat template."""

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

Rows: TypeAlias = Literal["predicting", "own", "first", "generated"]
"""Whose attention counts: the rows that emit the answer, the answer's own rows, the row that emits its first token, or
the rows that emit what the reader itself answers."""

TargetDistribution: TypeAlias = Literal["share", "softmax", "atlas", "fid-kd"]
"""How passage scores become the distribution that a retriever is to learn."""

NounSource: TypeAlias = Literal["textblob", "spacy", "given"]
"""Where nouns come from; `given` are those of the questions' file."""

Teacher: TypeAlias = Literal["attention", "perplexity", "emdr2", "loop", "given"]
"""What the retriever learns from: the reader's attention; the answer's likelihood given each passage, alone
(`perplexity`) or as part of a mixture (`emdr2`), or without it (`loop`); or scores that came with the passages."""

TrainingMode: TypeAlias = Literal["off-the-shelf", "fine-tuned"]
"""Whether reader and retriever are trained together, or the reader first and the retriever from it."""

Schedule: TypeAlias = Literal["linear", "cosine", "constant"]
"""How a learning rate falls after its warm-up, to 0 at the last step; `constant` does not."""

Keep: TypeAlias = Literal["best", "last"]
"""Which weights a measured training writes: those of the best measurement, or of the last step."""

DropBy: TypeAlias = Literal["delete", "attention"]
"""What dropout while training does: take tokens out of the text, or let them stand, seen by none and not learnt."""

IndexKind: TypeAlias = Literal["flat", "sqfp16", "ivf-sq8", "ivf-pq"]
"""How an index finds its candidates: among all vectors, in fp32 or fp16; or in lists, of 8-bit or product codes."""

Pooling: TypeAlias = Literal["mean", "cls", "max", "last", "mean-sqrt-len", "weighted-mean"]
"""`cls` is the first token, `last` the last; `mean-sqrt-len` divides the sum by the root of the length, and
`weighted-mean` weighs the n-th token by n, as decoders without `last` do."""

Preset: TypeAlias = Literal["paper"]
"""Options of a published experiment, as defaults: `paper` is contrast, α .7, β .05 and ten fixed copies."""

GUIDE: Guide = "surprisal:small"
ALPHA, BETA = 0.2, 0.05
"""The default guide, and Eq. 1's ceiling and rate. Of two guides that taught equally much, the one that needs one
model; of two α, the better one on the people reported in the README. On others, three α were not told apart."""
MASK = "[MASK]"
