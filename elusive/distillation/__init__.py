"""The reader teaches the retriever (METHOD 2.2, 2.4): losses, when to refresh the index, and when to stop.

losses.py              KL to a teacher, EMDR², the trust region; pure functions of tensors
diagnostics.py         teachers that say nothing
likelihoods.py         a reader's likelihoods of the answer, one a passage
refresh.py             when the index is embedded anew
gate.py                is the reader fit to teach; does the retriever collapse
exports.py             rows for other trainers
"""
