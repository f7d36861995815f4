"""LoRA continual pretraining on an `elusive augment` dataset, with TRL's `SFTTrainer`.

    python trl_sft.py out meta-llama/Llama-3.1-8B adapter

One row is one sample, which TRL ends with EOS; of a text longer than --max-length the rest, and its EOS, is left out.
"""

import argparse
from collections.abc import Sequence

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import set_seed
from trl import SFTConfig, SFTTrainer


def main(argv: Sequence[str] | None = None) -> SFTTrainer:
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

    trainer = SFTTrainer(
        model=options.model,
        args=SFTConfig(
            options.out,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch_size,
            learning_rate=5e-4,
            lr_scheduler_type="linear",
            warmup_steps=0.1,  # below 1, a share of all steps
            max_grad_norm=1.0,
            max_length=options.max_length,
            bf16=torch.cuda.is_available(),
            save_strategy="epoch",
            seed=options.seed,
            model_init_kwargs={"dtype": "auto"},
        ),
        train_dataset=rows,
        peft_config=LoraConfig(
            r=16, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    trainer.train()
    trainer.save_model()
    return trainer


if __name__ == "__main__":
    main()
