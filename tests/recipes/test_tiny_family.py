"""The recipe of the tiny family and what it shipped: same seed same bytes, and the gate's figures hold on the files."""

import importlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from elusive.data.tags import untagged
from elusive.embedded import MODELS, SAMPLES

RECIPE = Path(__file__).parents[2] / "recipes" / "tiny_family"
MODULES = ("biographies", "gate", "invented_names", "make", "people", "phrasings", "training")
SHIPPED_BYTES_BELOW = 6_000_000
AREA_TOLERANCE = 1e-3

LARGE, SMALL = MODELS["tiny:large"], MODELS["tiny:small"]
SAMPLE = SAMPLES["sample:biographies"]


@pytest.fixture(scope="module")
def recipe() -> Iterator[SimpleNamespace]:
    """The recipe's modules, imported as its entry point imports them: from their own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPE))
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})


@pytest.fixture(scope="module")
def figures():
    return json.loads((RECIPE / "gate.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cast(recipe, figures):
    return recipe.make.Cast.draw(figures["seed"])


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(LARGE)


@pytest.fixture(scope="module")
def models():
    return tuple(AutoModelForCausalLM.from_pretrained(folder).eval() for folder in (LARGE, SMALL))


@pytest.fixture(scope="module")
def rows():
    return [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]


def texts_of(recipe, seed, n_people=50):
    rng = random.Random(seed)
    people = recipe.biographies.draw_people(recipe.biographies.World.draw(rng), n_people, rng)
    return [(person, recipe.biographies.write_text(person, rng)) for person in people]


def test_same_seed_same_texts(recipe):
    assert texts_of(recipe, 7) == texts_of(recipe, 7)
    assert texts_of(recipe, 7) != texts_of(recipe, 8)


def test_each_fact_is_stated_once(recipe):
    for person, text in texts_of(recipe, 1):
        for value in asdict(person.facts).values():
            assert len(re.findall(rf"\b{re.escape(value)}\b", text)) == 1, (value, text)


def test_no_filler_or_phrasing_holds_a_value(recipe):
    phrasings, values = recipe.phrasings, set(recipe.invented_names.ALL_WORDS)
    templates = [*phrasings.OPENINGS, *phrasings.FILLERS, *(t for ts in phrasings.FACTS.values() for t in ts)]
    for template in templates:
        assert not values & set(re.findall(r"\w+", template)), template


def test_the_name_is_in_the_first_sentence_only(recipe):
    for person, text in texts_of(recipe, 2):
        first, _, rest = text.partition(".")
        assert first.count(person.name) == 1
        assert not any(part in rest for part in person.name.split())


def test_names_and_birth_dates_are_unique_and_most_follow_the_map(recipe, figures, cast):
    people = [*cast.trained.people, *cast.sampled]
    assert len({person.name for person in people}) == len(people)
    assert len({person.facts.birth_date for person in people}) == len(people)
    world = recipe.biographies.World.draw(random.Random(figures["seed"]))
    following = sum(world.major_of[person.facts.university] == person.facts.major for person in people)
    assert 0.55 < following / len(people) < 0.67


def test_sampled_people_are_not_trained_on(recipe, figures, cast, rows):
    assert rows == recipe.make.sample_rows(cast, figures["seed"])
    assert not {row["name"] for row in rows} & {person.name for person in cast.trained.people}
    assert len(cast.trained.unquestioned) == figures["people_asked_about"] == 120


def test_tokenizer_is_what_the_recipe_makes_today(recipe, figures, cast, tokenizer):
    made = recipe.make.make_tokenizer(cast, figures["seed"])
    assert (
        json.loads(made.backend_tokenizer.to_str())["model"]
        == json.loads((LARGE / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    )


def test_both_models_have_the_same_tokenizer():
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (LARGE / name).read_bytes() == (SMALL / name).read_bytes()


def test_each_name_and_value_is_one_token(recipe, tokenizer):
    for word in recipe.invented_names.ALL_WORDS:
        assert len(tokenizer(f" {word}", add_special_tokens=False).input_ids) == 1, word


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_the_tokenizer(tokenizer, text):
    ids = tokenizer(text).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids[1:]) == text


def test_no_token_is_without_width(tokenizer):
    offsets = tokenizer("two  spaces,\n\n\ttabs and Zoë 東京 .", return_offsets_mapping=True).offset_mapping
    assert all(start < end for start, end in offsets[1:])


def test_models_load_with_what_scoring_needs(models, tokenizer):
    for model in models:
        config = model.config
        assert config.pad_token_id != config.eos_token_id
        assert config.vocab_size == len(tokenizer)
        assert config.max_position_embeddings >= tokenizer.model_max_length >= 512
        named = (config.bos_token_id, config.eos_token_id, config.pad_token_id)
        assert named == (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)


def test_gate_is_passed_and_its_name_area_holds_on_the_files(recipe, figures, models, tokenizer, rows):
    assert all(figures["passed"].values())
    samples = [recipe.gate.SampleText(row["text"], row["name"], list(row["facts"].values())) for row in rows]
    found = recipe.gate.all_areas(samples, *models, tokenizer)
    assert found["contrast"]["name"] == pytest.approx(figures["area_under_roc"]["contrast"]["name"], abs=AREA_TOLERANCE)


def test_exact_match_of_a_few_people_is_near_the_gate(recipe, cast, models, tokenizer):
    people = cast.trained.unquestioned[:10]
    large, small = (recipe.gate.exact_match(model, tokenizer, people)["all"] for model in models)
    assert large > 0.75
    assert small < 0.25


def test_recipes_in_the_gate_file_are_those_of_the_code(recipe, figures):
    for size, made in (("large", recipe.training.LARGE), ("small", recipe.training.SMALL)):
        stated = {key: value for key, value in figures["recipes"][size].items() if key != "seconds"}
        assert stated == json.loads(json.dumps(asdict(made)))


def test_new_people_are_those_that_are_shipped(recipe, figures, tmp_path):
    for name, rows in recipe.people.files(figures["seed"]):
        recipe.people.write(tmp_path / name, rows)
        assert (tmp_path / name).read_bytes() == SAMPLES[f"sample:people-{name}"].read_bytes(), name


def test_new_people_are_met_nowhere_else(recipe, cast, figures):
    lots = recipe.people.new_people(cast, figures["seed"])
    names = [person.name for people in lots.values() for person in people]
    known = {person.name for person in [*cast.trained.people, *cast.sampled]}
    assert len(set(names)) == len(names) == 4 * recipe.people.N_PEOPLE
    assert known.isdisjoint(names)


def test_tags_stand_around_name_and_facts(recipe, cast):
    person = cast.sampled[0]
    [row] = recipe.people.texts([person], random.Random(0))
    text, spans = untagged(row["text"], ("name", *recipe.biographies.FIELDS))
    marked = {span.tag: text[span.start : span.end] for span in spans}
    assert marked == {"name": person.name, **asdict(person.facts)}


def test_what_is_shipped_stays_small():
    files = [SAMPLE, *LARGE.iterdir(), *SMALL.iterdir()]
    assert sum(path.stat().st_size for path in files) < SHIPPED_BYTES_BELOW


def test_area_under_roc_by_hand(recipe):
    np = pytest.importorskip("numpy")
    scores, positive = np.array([3.0, 1.0, 2.0, 2.0]), np.array([True, False, True, False])
    # Pairs (3,1), (3,2), (2,1) are won, (2,2) is a tie: 3.5 of 4.
    assert recipe.gate.area_under_roc(scores, positive) == pytest.approx(3.5 / 4)
