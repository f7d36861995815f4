"""Libraries that talk: what they print stands between our own bars."""

import logging
import warnings


def quieten_libraries() -> None:
    """No loading bars, advice and notes of retries from transformers, datasets and huggingface_hub."""
    from datasets.utils.logging import disable_progress_bar
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    disable_progress_bar()
    # peft asks a model for what transformers has renamed.
    warnings.filterwarnings("ignore", message="`(is_)?gradient_checkpointing`", category=FutureWarning)
    # Of the handlers, not the logger: a push listens to it with one of its own.
    for handler in hub_logging.get_logger("huggingface_hub").handlers:
        handler.setLevel(logging.ERROR)
