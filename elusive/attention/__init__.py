"""The spring: how attention leaves a model. Nothing else in the package knows.

    probe.py      watches a live model; a forward pass yields sums of received attention; restores everything
    answering.py  what the rows that emit an answer attend to, of decoder-only and encoder-decoder models
    answer_rows.py  the same of one layer
    live.py       what both observers rest on: what may be seen into, one pass, and how a model is left
    selection.py  which layers and heads
    interface.py  models of transformers' attention interface, and their masks
    hooks.py      the older classes that compute attention themselves (Falcon, GPT-J, GPT-Neo, Bloom, MPT)
    layers.py     one layer's attention, by the exact or the fast path
    reduce.py     from attention weights to column sums, exactly or from the log-sum-exp on CPU
    received.py   the score of record: received attention per token
    windows.py    texts longer than a model's context, and batches of texts
    oracle.py     the slow and obvious reference

Facts of transformers' attention interface that this room rests on: an implementation is registered process-wide
under a name, together with a mask function (without one, masks vanish and the model is no longer causal); the
function gets keys and values before grouped-query repetition, and whatever extra keywords the family passes.
"""
