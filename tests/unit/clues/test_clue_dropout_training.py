"""Each epoch of a real training run sees its own copies, in data loader workers too."""

import pytest
import torch
from clue_cases import byte_level
from dropout_cases import TEXTS, clue_dropout, dataset, shown
from tiny import save_llama
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments

from elusive.clues.transform import ClueDropout


def texts_in(input_ids: torch.Tensor) -> list[str]:
    return byte_level().batch_decode(input_ids, skip_special_tokens=True)


@pytest.mark.parametrize("as_transform", [True, False])
def test_workers_that_live_on_see_the_epoch_change(as_transform):
    dropout, rows = clue_dropout(), dataset()
    if as_transform:
        rows.set_transform(dropout)
    loader = DataLoader(
        rows,
        batch_size=1,
        num_workers=2,
        persistent_workers=True,
        collate_fn=list if as_transform else dropout.collator(byte_level()),
    )
    for epoch in (0, 1, 2, 11, 1):
        dropout.set_epoch(epoch)
        batches = list(loader)
        found = [row["text"] for b in batches for row in b] if as_transform else texts_in_batches(batches)
        assert sorted(found) == shown(epoch)


def texts_in_batches(batches: list[dict[str, torch.Tensor]]) -> list[str]:
    return [text for batch in batches for text in texts_in(batch["input_ids"])]


class Seen(TrainerCallback):
    """What the model was given, by epoch of the run."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.texts: dict[int, list[str]] = {}
        self._now = -1
        model.register_forward_pre_hook(self._record, with_kwargs=True)

    def _record(self, _model, _args, kwargs):
        self.texts.setdefault(self._now, []).extend(texts_in(kwargs["input_ids"]))

    def on_epoch_begin(self, args, state, control, **kwargs):
        self._now = int(state.global_step // (len(TEXTS) // args.train_batch_size))


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> str:
    return save_llama(tmp_path_factory.mktemp("model"), seed=0, layers=1, tokenizer=byte_level())


def trainer(model_path: str, folder, dropout: ClueDropout, **arguments: object) -> tuple[Trainer, Seen]:
    model = AutoModelForCausalLM.from_pretrained(model_path)
    seen = Seen(model)
    run = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=3,
            per_device_train_batch_size=2,
            remove_unused_columns=False,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            dataloader_pin_memory=False,
            logging_strategy="no",
            **{"save_strategy": "no"} | arguments,
        ),
        train_dataset=dataset(),
        data_collator=dropout.collator(byte_level()),
        callbacks=[dropout.callback(), seen],
    )
    return run, seen


@pytest.mark.parametrize("workers", [{}, {"dataloader_num_workers": 1, "dataloader_persistent_workers": True}])
def test_a_trainer_shows_the_model_other_texts_each_epoch(model_path, tmp_path, workers):
    run, seen = trainer(model_path, tmp_path, clue_dropout(), **workers)
    run.train()
    assert {epoch: sorted(texts) for epoch, texts in seen.texts.items()} == {e: shown(e) for e in range(3)}
    assert shown(0) == sorted(TEXTS.values())
    assert not set(shown(0)) & set(shown(1))
    assert not set(shown(1)) & set(shown(2))


def test_a_run_that_goes_on_in_mid_epoch_shows_the_rest_of_that_epoch(model_path, tmp_path):
    run, _ = trainer(model_path, tmp_path, clue_dropout(), save_strategy="steps", save_steps=3)
    run.train()
    again, seen = trainer(model_path, tmp_path, clue_dropout())
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert len(seen.texts[1]) == 2
    assert set(seen.texts[1]) < set(shown(1))
    assert sorted(seen.texts[2]) == shown(2)
