"""The words of the dataset card, apart from what fills them in."""

from typing import Final

BODY: Final = """\
# {title}

{texts} texts in {rows} rows, for continual pretraining on a small corpus that is dense in knowledge. They come from
{corpus}, with a drop probability for each token: what a language model finds hard or attends to is kept, the rest is
dropped at random.
Made by [elusive](https://pypi.org/project/elusive/), after Gao et al., AAAI 2025
([arXiv 2409.17954](https://arxiv.org/abs/2409.17954)).

## What was done

1. Each token was scored by what the guide needs: its surprisal, which is -log p of the token given what is before it;
   or the attention it receives, which is the mean weight that the tokens after it give to it.
2. {ranking}
3. Each was given a probability to be dropped, Eq. 1 of the paper:

       {equation}

4. {rows_are}
5. What is dropped is {mode}.

{settings}

## An example

Struck out is what copy 1 of the first text drops, or epoch 1 where copies are drawn while training:

> {example}

## Columns

Subset `default`, one row a text or copy:

{data_columns}

Subset `clues`, one row a token of a source text:

{clue_columns}

Characters are Unicode code points of the source text.

## Load it

```python
from datasets import load_dataset

rows = load_dataset("{name}", split="train")
originals = rows.filter(lambda copy: copy == 0, input_columns="copy")
clues = load_dataset("{name}", "clues", split="train")
```

## Train on it

Continual pretraining with dropout drawn anew in each epoch: `elusive pretrain FOLDER --model MODEL --fresh`, or
`elusive.ClueDropout` in a training loop of your own. Train until questions that were held out no longer improve, which
takes several times as many steps as training on the texts alone: LoRA with r 16, alpha 16, no dropout, on all linear
layers; learning rate 5e-4, linear with warm-up .1, gradients clipped at 1.0, batches of 8. Compare with training on the
originals alone until that is saturated, and with dropout that drops as much at random (`--guide random`).

## How it was made

```console
{command}
```

{made_of}

Rows depend on the texts, the models and the options alone, not on the number of workers or on interruptions.

## Limits and risks

- What a model attends to is a signal, not a proof of what matters, and it carries the biases of the two models.
- Copies are not prose, and may say what is false: a negation, a number or a name can be gone. They are for training,
  not for reading, and nothing in them should be quoted.
- Whatever the source holds, private details too, is here many times over, and a model trained on it will tend to
  remember it. The clues show every token of the source.
- That training on these very rows teaches a model more was not measured.

## Licence

{licence}

## Citation

The method of this dataset:

```bibtex
@inproceedings{{gao2025elusive,
  title     = {{Enhancing elusive clues in knowledge learning by contrasting attention of language models}},
  author    = {{Gao, Jian and Zhang, Xiao and Wu, Ji and Li, Miao}},
  booktitle = {{Proceedings of the AAAI Conference on Artificial Intelligence}},
  year      = {{2025}},
  note      = {{arXiv:2409.17954}}
}}
```

What else elusive reads from attention, which nothing here depends on:

```bibtex
@inproceedings{{li2024unveiling,
  title     = {{Unveiling the magic: investigating attention distillation in retrieval-augmented generation}},
  author    = {{Li, Zizhong and Zhang, Haopeng and Zhang, Jiawei}},
  booktitle = {{Proceedings of NAACL}},
  year      = {{2024}},
  note      = {{arXiv:2402.11794}}
}}
```
"""

GUIDES_IN_WORDS: Final = {
    "surprisal:small": "their surprisal in the small model",
    "surprisal:large": "their surprisal in the large model",
    "surprisal:difference": "their surprisal in the small model less that in the large one",
    "entropy": "the entropy of what the small model predicts in their place",
    "contrast": "the contrast of the attention they receive ({contrast})",
    "attention:large": "their attention in the large model",
    "attention:small": "their attention in the small model",
    "surprisal+contrast": "surprisal in the small model and contrast ({contrast}), ranks averaged",
}

NO_LICENCE: Final = "Not stated. The licence of the source corpus applies to its texts, which these rows reproduce."

DATA_COLUMNS: Final = {
    "text": "the text, or what a copy keeps of it",
    "source_id": "id of the source text",
    "copy": "0 is the text itself, 1 and up are its copies",
    "kept": "units kept",
    "dropped": "units dropped",
    "dropped_spans": "start and end of each dropped unit in the source text",
}

CLUE_COLUMNS: Final = {
    "source_id": "id of the source text",
    "position": "number of the token in its text, from 0",
    "token": "its characters",
    "start": "its first character",
    "end": "the character after its last",
    "unit": "number of the unit that it belongs to, which is dropped as one",
    "received_large": "attention it receives in the large model; null where nothing follows it, or the guide uses none",
    "received_small": "the same in the small model",
    "surprisal_large": "-log p of the token in the large model, in nats; null where the guide uses none",
    "surprisal_small": "the same in the small model",
    "entropy_small": "entropy of the small model's prediction, in nats",
    "score": "what the guide ranks by",
    "rank": "of its unit, 0 is the strongest clue; null where it has none",
    "p_drop": "probability that a copy drops it",
}
