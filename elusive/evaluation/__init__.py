"""What a model knows, finds and has forgotten: closed-book questions, shots, perplexity, and leaks.

    templates       a field of a person becomes a question
    biographies     questions about people, from their facts or from tagged texts
    sources         questions of any layout, each with its field and its group
    shots           the examples that stand before a question
    closed_book     prompts that fit, and what a model answers to them
    open_book       whether all passages of a question fit
    perplexity      how unlikely a model finds texts
    leaks           questions that a training text holds
    result          figures of all these, with intervals over groups

Knows neither options nor folders. `elusive.jobs.evaluate` is the job.
"""
