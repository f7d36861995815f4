"""What users give `elusive score-reader` that cannot be used, with the words that say so; and what is only strange."""

import json
import os
from typing import Any

PASSAGES = [{"id": "p0", "title": "Jasava", "text": "Jasava was settled by the Esken river long ago."}]


def row(**other: Any) -> dict[str, Any]:
    """A good question, but for what is told."""
    good = {"question": "By which river was Jasava settled?", "answers": ["Esken"], "nouns": ["river"]}
    return {"id": "q", **good, "passages": PASSAGES} | other


def lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


BARE = lines({"question": "Who settled Jasava?", "answers": ["a"]})

QUESTIONS: dict[str, tuple[bytes | None, str]] = {
    "absent": (None, r"no file or folder"),
    "empty": (b"", r"is empty"),
    "an unknown layout": (lines({"foo": 1, "bar": "x"}), r"its first record: \{'foo': 1, 'bar': 'x'\}; known are: DPR"),
    "no column of answers": (lines({"question": "Who?"}), r"no known layout of questions.*known are"),
    "an array cut short": (b'[{"question": "a", "ans', r"cannot be read as JSON"),
    "a line cut short": (b'{"question": "a", "ans', r"broken JSON"),
    "no answers": (lines({"_id": "1", "text": "Who?"}), r"no usable answer\); name their column by --answer-column"),
    "no passages": (BARE, r"no passages\); name a file of passages, .*--passages"),
    "passages of white space": (lines(row(passages=[{"text": " "}])), r"passage"),
    "ids that are there twice": (lines(row(), row()), r"id 'q' is there twice: .*:1 and .*:2"),
    "a lone surrogate": (lines(row(question="\ud800")), r"lone surrogate"),
    "answers of spaces": (lines(row(answers=[" ", ""])), r"no usable answer"),
    "answers in no form": (lines(row(answers={"x": 3})), r"no known form"),
    "nouns that are a number": (lines(row(nouns=3)), r"nouns are not a list"),
    "numbers for questions": (lines(row(question=3)), r"not a string"),
    "blank questions": (lines(row(question=" ")), r"empty or white space"),
    "passages that are a word": (lines(row(passages="p")), r"passages are not a list"),
    "a question of 100,000 characters": (lines(row(question="long " * 20_000)), r"none of the questions.*shorten them"),
    "binary": (b"\x7fELF\x00\x00\x01" * 50, r"binary|UTF-8"),
    "UTF-16": ('{"question": "a"}'.encode("utf-16"), r"UTF-16"),
    "gzip cut short": (b"\x1f\x8b\x08\x00\x00\x00", r"is the file complete"),
    "parquet cut short": (b"PAR1\x00", r"cannot be read as Parquet"),
}

PASSAGE_FILES: dict[str, tuple[bytes | None, str]] = {
    "absent": (None, r"no file or folder"),
    "empty": (b"", r"is empty"),
    "an unknown layout": (lines({"foo": 1}), r"no known layout of passages; its first record"),
    "without a word of the questions": (
        lines({"text": "zzz"}),
        r"no passages\); no passage of .* has a word of theirs",
    ),
    "without any word": (lines({"text": "!?!"}), r"no passages\); no passage of .* has a word of theirs"),
    "of white space": (lines({"text": " "}), r"no usable passages"),
    "with an id twice": (lines({"id": 1, "text": "Jasava"}, {"id": 1, "text": "b"}), r"is there twice"),
    "cut short": (b'{"text": "Jas', r"broken JSON"),
}

TEMPLATES: dict[str, tuple[bytes | None, str]] = {
    "absent": (None, r"no template file"),
    "empty": (b"", r"expected a mapping"),
    "a list": (b"[]", r"expected a mapping"),
    "no YAML": (b"{", r"not YAML"),
    "bytes": (b"\xff", r"not YAML"),
    "a number for a text": (b"passage: 3", r"expected text"),
    "an unknown name": (b"passag: x", r"no 'passag' in a template; did you mean 'passage'"),
    "a brace alone": (b"passage: '{'", r"a brace that is text is doubled"),
    "an unknown field": (b"passage: '{nope}'", r"it is filled with"),
    "a question without the question": (b"question: x", r"lacks \{question\}"),
}

OPTIONS = {
    ("--passages", "absent.jsonl", "--text-column", "x", "--k", "0"): r"k is 0",
    ("--samples", "0"): r"samples is 0",
    ("--percentile", "100"): r"percentile.* less than 100",
    ("--percentile", "-1"): r"percentile",
    ("--percentile", "nan"): r"percentile",
    ("--percentile", "abc"): r"percentile",
    ("--reference", "tiny:reader"): r"named as reader and as reference",
    ("--teacher", "perplexity"): r"perplexity cannot be judged",
    ("--text-column", "x"): r"--text-column is of --passages",
    ("--question-column", "x"): r"no column 'x'",
    ("--answer-column", "x"): r"no column 'x'",
    ("--id-column", "x"): r"no column 'x'",
    ("--split", "nope"): r"no split 'nope'",
    ("--nouns", "nothing"): r"nouns is 'nothing'",
    ("--rows", "nothing"): r"rows is 'nothing'",
    ("--layers", "99"): r"layers 0 to 1",
    ("--layers", "a"): r"0,4-7,-1",
    ("--heads", "9"): r"heads 0 to 3",
    ("--max-tokens", "0"): r"max_tokens is 0",
    ("--max-tokens", "3"): r"none of the questions.*takes 3",
    ("--max-new-tokens", "0"): r"max_new_tokens is 0",
    ("--max-new-tokens", "99999999999"): r"leaves no room for a prompt",
    ("--batch-size", "0"): r"batch_size is 0",
    ("--seed", "-1"): r"seed is -1",
    ("--chat",): r"has no chat template",
    ("--dtype", "float8"): r"dtype is 'float8'",
    ("--device", "gpu"): r"device 'gpu' cannot be used here",
    ("--quantize", "int3"): r"quantize is 'int3'",
    ("--readings", "/dev/null"): r"is a file; expected a folder",
    ("--adapter", "tiny:nope", "--reader", "tiny:reader-untuned"): r"--adapter goes on one --reader, and there are 2",
    ("--set", "alpha=1"): r"no option 'alpha'",
    ("--set", "k"): r"has no '='",
    ("--set", "percentile=[a]"): r"percentile.* is 'a'",
    ("--config", "absent.yaml"): r"no config file",
    ("--data", ""): r"no source is named",
    ("--data", os.fsdecode(b"\xff")): r"data is",
    ("--data", "sample:nope"): r"nothing embedded is called",
}

MISSPELT = [("--k", "x"), ("--samples", "all"), ("--no-such-option",), ("--reader",), ("questions.jsonl",)]
"""What is wrong with the command line itself: exit code 2, and its usage."""

STRANGE: dict[str, dict[str, Any]] = {
    "a passage of one character": {"passages": [{"text": "a"}]},
    "a passage of a full stop": {"passages": [{"text": "."}]},
    "a passage of punctuation": {"passages": [{"text": "!?! …"}]},
    "a passage of emoji": {"passages": [{"text": "👩‍👩‍👧🙂"}]},
    "a passage from right to left": {"passages": [{"text": "\u202eשלום\u202c", "title": "שלום"}]},
    "a passage that nobody sees": {"passages": [{"text": "\u200b\u2060"}]},
    "a NUL everywhere": {"question": "Who\0is?", "answers": ["a\0b"], "passages": [{"text": "\0"}]},
    "an answer of a full stop": {"answers": ["."]},
    "an answer of emoji": {"answers": ["🙂"]},
    "a question of one mark": {"question": "?"},
    "a question of words for parts of a prompt": {"question": "{question} </s> {text} %s"},
    "no noun": {"nouns": []},
    "one passage forty times": {"passages": PASSAGES * 40},
    "a title of 3,000 characters": {"passages": [{"title": "t" * 3000, "text": "a"}]},
    "no target among the answers": {"target": "Vael"},
    "answers of which one is blank": {"answers": [" ", "Esken"]},
}
"""What can be read, or told to be too long."""

SET_ASIDE: dict[str, dict[str, Any]] = {
    "text is empty or white space": {"question": " "},
    "lone surrogate, which UTF-8 cannot hold": {"question": "\ud800"},
    "question has no usable answer": {"answers": [" "]},
    "nouns are not a list of strings": {"nouns": 3},
    "question has no passages": {"passages": []},
}
"""Rows that cannot be asked, by their reason."""
