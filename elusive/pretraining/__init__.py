"""Continual pretraining: what the rows of a run are, and the run itself, by transformers' Trainer."""
