"""The reader teaches the retriever (METHOD 2.2, 2.4): losses, when to refresh the index, and when to stop.

losses.py              KL to a teacher, EMDR², the trust region; pure functions of tensors
diagnostics.py         teachers that say nothing
likelihoods.py         a reader's likelihoods of the answer, one a passage
teachers.py            each teacher's loss on a batch
retriever.py           an encoder and its index, as a step sees them
evaluation.py          HR@k, MRR, EM and F1 over questions
watch.py               dev and the signs of collapse, whenever the index is fresh
refresh.py             when the index is embedded anew
gate.py                is the reader fit to teach; does the retriever collapse
settings.py, state.py  how a run is trained, and how far it has come
loop.py                the retriever's training; reader_tuning.py is the reader's before it
learner.py             a model's optimiser; processes.py, data_order.py, checkpoint.py and tensors.py beneath
exports.py, result.py  rows for other trainers; what came of a run
"""
