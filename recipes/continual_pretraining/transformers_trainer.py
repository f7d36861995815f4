"""LoRA continual pretraining on an `elusive augment` dataset, with transformers' `Trainer`.

    python transformers_trainer.py out meta-llama/Llama-3.1-8B adapter

One row is one sample and ends with EOS; a text longer than --max-length is cut into pieces, and no token is lost.
"""

import argparse
from collections.abc import Mapping, Sequence

import torch
from datasets import load_dataset
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
    set_seed,
)


def main(argv: Sequence[str] | None = None) -> Trainer:
    """Trains, saves the adapter, and returns the trainer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="output folder of elusive augment, or its name on the Hub")
    parser.add_argument("model")
    parser.add_argument("out", help="folder of the adapter")
    parser.add_argument("--rows", choices=["all", "originals", "copies"], default="all")
    parser.add_argument("--epochs", type=float, default=20)
    parser.add_argument("--batch-size", type=int, default=8, help="rows a step, on each device")
    parser.add_argument("--max-length", type=int, default=1024, help="tokens")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    set_seed(options.seed)  # the adapter is drawn before the trainer seeds anything

    rows = load_dataset(options.data, split="train")
    if options.rows != "all":
        originals = options.rows == "originals"
        rows = rows.filter(lambda copy: (copy == 0) == originals, input_columns="copy")

    tokenizer = AutoTokenizer.from_pretrained(options.model)
    end = tokenizer.eos_token_id
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    def tokenize(batch: Mapping[str, list[str]]) -> dict[str, list[list[int]]]:
        texts = [ids if ids[-1:] == [end] else [*ids, end] for ids in tokenizer(batch["text"])["input_ids"]]
        starts = [(ids, start) for ids in texts for start in range(0, len(ids), options.max_length)]
        # A last token alone has nothing before it to be predicted from, hence the min.
        pieces = [ids[min(start, len(ids) - 2) : start + options.max_length] for ids, start in starts]
        return {"input_ids": pieces, "labels": pieces}

    model = AutoModelForCausalLM.from_pretrained(options.model)
    lora = LoraConfig(r=16, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = Trainer(
        model=get_peft_model(model, lora),
        args=TrainingArguments(
            options.out,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch_size,
            learning_rate=5e-4,
            lr_scheduler_type="linear",
            warmup_steps=0.1,  # below 1, a share of all steps
            max_grad_norm=1.0,
            bf16=torch.cuda.is_available(),
            logging_steps=10,
            save_strategy="epoch",
            seed=options.seed,
        ),
        train_dataset=rows.map(tokenize, batched=True, remove_columns=rows.column_names),
        # The collator for language modelling would take EOS out of the loss wherever it serves as padding.
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model()
    return trainer


if __name__ == "__main__":
    main()
