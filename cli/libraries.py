"""Libraries that talk: what they print stands between our own bars."""


def quieten_libraries() -> None:
    """No loading bars and no advice from transformers and datasets."""
    from datasets.utils.logging import disable_progress_bar
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    disable_progress_bar()
