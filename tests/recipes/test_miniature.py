"""The recipe of the miniature and what it shipped: data is what the generator gives, models answer as the gate says."""

import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from elusive.data.passage_files import read_passages
from elusive.data.question_files import read_questions
from elusive.data.questions import n_shared_questions
from elusive.embedded import MODELS, SAMPLES
from elusive.metrics import has_answer
from elusive.readers.opening import reader_of

RECIPE = Path(__file__).parents[2] / "recipes" / "miniature"
MODULES = tuple(path.stem for path in RECIPE.glob("*.py"))
SPLITS = ("train", "dev", "test")
DATA = {name: SAMPLES[f"sample:miniature-{name}"] for name in ("passages", *SPLITS)}
ENCODER, UNTUNED, TUNED = (MODELS[f"tiny:{name}"] for name in ("encoder", "reader-untuned", "reader"))
SHIPPED_BYTES_BELOW = 5_000_000
N_ASKED = 100


@pytest.fixture(scope="module")
def recipe() -> Iterator[SimpleNamespace]:
    """The recipe's modules, imported as its entry point imports them; other recipes have modules of the same names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPE))
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def figures():
    return json.loads((RECIPE / "gate.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def base(recipe, figures):
    return recipe.towns.KnowledgeBase.draw(figures["seed"])


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(TUNED)


@pytest.fixture(scope="module")
def readers():
    return [
        AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval() for folder in (UNTUNED, TUNED)
    ]


@pytest.fixture(scope="module")
def rows():
    return {name: [json.loads(line) for line in lines(path)] for name, path in DATA.items()}


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_shipped_passages_are_what_the_generator_gives(recipe, base, tmp_path):
    recipe.make.write_rows(tmp_path / "passages.jsonl", base.passage_rows())
    assert (tmp_path / "passages.jsonl").read_bytes() == DATA["passages"].read_bytes()


@pytest.mark.parametrize("split", SPLITS)
def test_shipped_questions_are_what_the_generator_gives(recipe, base, rows, split, tmp_path):
    found = [[(int(passage["id"]), passage["score"]) for passage in row["passages"]] for row in rows[split]]
    assert {len(of_row) for of_row in found} == {recipe.towns.N_RETRIEVED}
    recipe.make.write_rows(tmp_path / "questions.jsonl", base.question_rows(split, found))
    assert (tmp_path / "questions.jsonl").read_bytes() == DATA[split].read_bytes()


def test_another_seed_gives_other_towns(recipe, base):
    other = recipe.towns.KnowledgeBase.draw(1)
    assert other.passages != base.passages
    assert recipe.towns.KnowledgeBase.draw(1) == other


def test_splits_share_no_town_and_no_question(rows):
    titles = {split: {row["nouns"][-1] for row in rows[split]} for split in SPLITS}
    assert {split: len(titles[split]) for split in SPLITS} == {"train": 140, "dev": 30, "test": 30}
    assert len(set.union(*titles.values())) == 200
    files = {split: list(read_questions(DATA[split], on_rejected=pytest.fail)) for split in SPLITS}
    assert [len(files[split]) for split in SPLITS] == [1400, 300, 300]
    assert n_shared_questions(files["train"], files["dev"] + files["test"]) == 0
    assert n_shared_questions(files["dev"], files["test"]) == 0


def test_each_fact_is_told_in_one_passage_of_its_town(base):
    texts = {article[0].title: [passage.text for passage in article] for article in base.articles}
    assert all(passage.title not in passage.text for passage in base.passages)
    for questions in base.questions.values():
        for question in questions:
            assert sum(has_answer(text, [question.answer]) for text in texts[question.nouns[-1]]) == 1, question


def test_a_question_shares_only_the_commonest_words_with_its_passages(recipe):
    for relation in recipe.phrasings.RELATIONS:
        asked, told = (
            set(re.findall(r"\w+", " ".join(templates).replace("{name}", "").replace("{v}", "").lower()))
            for templates in (relation.questions, relation.passages)
        )
        assert asked & told <= recipe.phrasings.FUNCTION_WORDS, relation.name


def test_no_template_holds_a_value_and_no_value_has_two_kinds(recipe):
    words, relations = recipe.invented_words, recipe.phrasings.RELATIONS
    people = [*words.FIRST_NAMES, *words.LAST_NAMES]
    values = [value for r in relations if r.values is not words.PEOPLE for value in r.values]
    every = [*words.TOWNS, *people, *values]
    assert len({word.lower() for word in every}) == len(every)
    templates = [text for relation in relations for text in (*relation.passages, *relation.questions)]
    assert {word.lower() for word in every}.isdisjoint(re.findall(r"\w+", " ".join(templates).lower()))


def test_passages_are_read_as_they_were_written(base):
    found = list(read_passages(DATA["passages"], on_rejected=pytest.fail))
    assert [(passage.title, passage.text) for passage in found] == [(p.title, p.text) for p in base.passages]


def test_shipped_tokenizers_are_those_of_the_recipe(recipe):
    made = {
        ENCODER: recipe.word_tokenizers.encoder_tokenizer(recipe.encoder.CONTEXT),
        UNTUNED: recipe.word_tokenizers.reader_tokenizer(recipe.reader.CONTEXT),
        TUNED: recipe.word_tokenizers.reader_tokenizer(recipe.reader.CONTEXT),
    }
    for folder, tokenizer in made.items():
        shipped = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        # The encoder's was saved after use, and keeps how it padded and cut.
        unused = {"padding": None, "truncation": None}
        assert shipped | unused == json.loads(tokenizer.backend_tokenizer.to_str()) | unused, folder.name


@pytest.mark.parametrize("folder", [ENCODER, TUNED])
def test_tokens_are_whole_words_at_their_places(rows, folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for row in rows["dev"][:50]:
        text = f"{row['passages'][0]['title']}\n{row['passages'][0]['text']}\n\n{row['question']} {row['target']}"
        encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
        assert [text[a:b] for a, b in encoded.offset_mapping] == re.findall(r"\w+|[^\w\s]", text)
        assert tokenizer.unk_token_id not in encoded.input_ids


def test_models_load_as_float32_and_whole():
    for folder, loader in ((ENCODER, AutoModel), (UNTUNED, AutoModelForCausalLM), (TUNED, AutoModelForCausalLM)):
        model, report = loader.from_pretrained(folder, output_loading_info=True)
        assert not any(report.values()), folder.name
        assert model.dtype == torch.float32


def test_retrieved_passages_are_those_of_the_shipped_encoder(recipe, base, rows):
    model, tokenizer = AutoModel.from_pretrained(ENCODER).eval(), AutoTokenizer.from_pretrained(ENCODER)
    asked = rows["test"][:N_ASKED]
    found = recipe.encoder.search(model, tokenizer, [row["question"] for row in asked], base.passages)
    for row, of_row in zip(asked, found, strict=True):
        scores = [passage["score"] for passage in row["passages"]]
        # Passages that are all but equally near may change places on another machine; scores may not.
        assert scores == pytest.approx([score for _, score in of_row], abs=0.01)
    same = [
        {p["id"] for p in row["passages"]} == {f"{n:04d}" for n, _ in f} for row, f in zip(asked, found, strict=True)
    ]
    assert sum(same) >= 0.97 * N_ASKED


def test_the_tuned_reader_answers_and_the_untuned_one_does_not(recipe, readers, tokenizer, rows):
    asked = [row for row in rows["test"] if recipe.gate.has_hit(row)][:N_ASKED]
    untuned, tuned = (
        sum(recipe.gate.answered(model, tokenizer, row) == row["target"] for row in asked) / len(asked)
        for model in readers
    )
    assert tuned > 0.8
    assert untuned < 0.05


def test_readers_of_the_package_see_what_the_gate_sees(recipe, readers, tokenizer):
    [question] = read_questions(DATA["dev"], limit=1, on_rejected=pytest.fail)
    prompt = recipe.exercises.prompt_of(
        question.question, [recipe.towns.Passage(passage.title, passage.text) for passage in question.passages]
    )
    for model in readers:
        [found] = reader_of(model, tokenizer).scores([question])
        assert found.tokens.text == f"{prompt} {question.target}"
        ids = torch.from_numpy(found.tokens.ids)
        n_answer = len(found.answer_ids)
        slow = recipe.gate.token_scores(model, ids, range(len(ids) - n_answer - 1, len(ids) - 1))
        assert found.token_scores == pytest.approx(slow, rel=1e-4, abs=1e-7)


def test_reading_apart_hides_the_passages_until_the_last_layer(recipe):
    ignored = recipe.exercises.IGNORED
    # One passage of two tokens, one of one; a question of two, whose last writes the answer; the answer's own token.
    targets = torch.tensor([[ignored] * 6 + [7, 8]])
    first, later = (mask[0, 0].int().tolist() for mask in recipe.exercises.apart(targets, [[2, 1]]))
    shared = [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 0, 0, 1, 0, 0, 0, 0],
        [1, 0, 0, 0, 1, 0, 0, 0],
    ]
    assert first == [*shared, [1, 0, 0, 0, 1, 1, 0, 0], [1, 0, 0, 0, 1, 1, 1, 0], [1, 0, 0, 0, 1, 1, 1, 1]]
    assert later == [*shared, [1] * 6 + [0, 0], [1] * 7 + [0], [1] * 8]


def test_layers_one_by_one_are_the_model(recipe, tokenizer):
    ids = tokenizer("Which river flows through Jasava?", return_tensors="pt").input_ids
    n_tokens = ids.shape[1]
    causal = torch.ones(1, 1, n_tokens, n_tokens, dtype=torch.bool).tril()
    model = AutoModelForCausalLM.from_pretrained(TUNED)
    batches = [recipe.exercises.Batch(ids, ids, masks) for masks in ((), (causal, causal))]
    whole, by_layer = (recipe.reader.hidden_states(model, batch) for batch in batches)
    torch.testing.assert_close(whole, by_layer)


def test_the_gate_is_passed_on_dev_and_on_test(figures):
    assert all(figures["passed"]["dev"].values())
    assert all(figures["passed"]["test"].values())


def test_hits_in_the_gate_file_are_those_of_the_files(recipe, figures, rows):
    for split in ("dev", "test"):
        assert recipe.gate.retrieval(rows[split]) == pytest.approx(figures[split]["encoder"], abs=1e-4)


def test_recipes_in_the_gate_file_are_those_of_the_code(recipe, figures):
    made = {"encoder": asdict(recipe.encoder.ENCODER), "readers": asdict(recipe.reader.READER)}
    assert figures["recipes"] == json.loads(json.dumps(made))


def test_an_indicator_by_hand(recipe):
    # Of ten tokens at p80 the two nearest count: the ones with .3 and .1 of 1.
    scores = np.array([0.1, 0.3, *[0.075] * 8])
    found = recipe.gate.indicator(scores, np.array([0.5, 0.9, *[0.1] * 8]), 80)
    assert (found.attention, found.lift, found.spearman) == pytest.approx((0.2, 2.0, 1.0))
    assert recipe.gate.indicator(scores, np.ones(10), 80).spearman is None


def test_what_is_shipped_stays_small():
    folders = (ENCODER, UNTUNED, TUNED, DATA["passages"].parent)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < SHIPPED_BYTES_BELOW
