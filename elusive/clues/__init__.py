"""Paper 1: from received attention to an augmented text, on disk or drawn afresh each epoch.

    contrast.py     large minus small, and the order of the result
    alignment.py    scores from one tokenizer's tokens onto another's
    units.py        what can be dropped as one: tokens that share a character, or words; what is protected
    dropout.py      Eq. 1, the rate it gives, and independent draws that depend on nothing but their key
    drops.py        cutting drawn units out of a text
    text_clues.py   all of the above for one text
    score_store.py  scores on disk, found again by what they depend on
    scoring.py      a corpus into the store, with one model
    scored_corpus.py  the corpus with its scores, ranked
    rates.py        β for a rate that was asked for
    writing.py, counts.py, card.py  parts of the dataset, what was counted, its card
    transform.py    `ClueDropout`: the same dropout at training time

Source: Gao, Huang, Cao, Zhao, AAAI 2025, arXiv 2409.17954.
"""
