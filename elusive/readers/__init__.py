"""What a reader attends to in its passages (METHOD 2.1, 2.2; Li et al., NAACL 2024).

    reader.py              what a reader is, its options, and the scores that it gives
    prompts.py             templates, and a whole prompt whose characters know which passage they belong to
    tokens.py              its tokens, and the passage that each belongs to by its offsets
    fitting.py             passages shortened evenly where a prompt is too long
    decoder_only.py        a causal LM that reads all passages in one prompt
    fusion_in_decoder.py   an encoder-decoder that encodes each passage apart
    passage_scores.py      from token scores to passage scores and the target distribution
    generation.py          the reader's own answers, greedily
    likelihood.py          how likely an answer is, given some of the passages
    limits.py              how many tokens a reader takes
    opening.py             the reader of a live model, or of one on disk; `elusive.reader_scores`

How attention leaves a model is known to `elusive.attention` alone.
"""
