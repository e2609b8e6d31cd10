"""Learned words: files of every layout, and what a text encoder makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.tiny_diffusion import tiny_prior

from monoform.errors import InputError
from monoform.guidance.words import Word, read_word, with_word, write_word


def vectors(count: int = 1, width: int = 16, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("ending", ["bin", "safetensors", "pt"])
def test_a_word_comes_back_from_its_file(tmp_path: Path, ending: str, count: int) -> None:
    word = Word("_cat_statue_", vectors(count, 768))
    write_word(word, tmp_path / f"word.{ending}")
    read = read_word(tmp_path / f"word.{ending}")
    assert read.name == word.name and torch.equal(read.vectors, word.vectors)


def test_the_published_file_is_a_plain_dictionary(tmp_path: Path) -> None:
    write_word(Word("_cat_", vectors(1, 768)), tmp_path / "learned_embeds.bin")
    content = torch.load(tmp_path / "learned_embeds.bin", weights_only=True)
    assert list(content) == ["_cat_"] and content["_cat_"].shape == (768,) and content["_cat_"].dtype == torch.float32


def test_files_of_the_other_program_are_named_after_themselves(tmp_path: Path) -> None:
    """AUTOMATIC1111's layouts: parameters behind a star, and safetensors with emb_params."""
    parameters = torch.nn.ParameterDict({"*": torch.nn.Parameter(vectors(2, 768))})
    content = {"string_to_token": {"*": 265}, "string_to_param": dict(parameters), "name": "blue vase", "step": 500}
    torch.save({**content, "sd_checkpoint": None, "sd_checkpoint_name": None}, tmp_path / "a.pt")
    found = read_word(tmp_path / "a.pt")
    assert found.name == "blue vase" and torch.equal(found.vectors, vectors(2, 768))
    save_file({"emb_params": vectors(2, 1024)}, tmp_path / "vase.safetensors")
    found = read_word(tmp_path / "vase.safetensors")
    assert found.name == "vase" and torch.equal(found.vectors, vectors(2, 1024))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"a": torch.zeros(8), "b": torch.zeros(8)}, "holds 2 words, a, b"),
        ({"a": 1}, "holds no learned word"),
        ([torch.zeros(8)], "holds no learned word"),
        ({"a": torch.zeros(2, 2, 2)}, "holds no learned word"),
        ({"a": torch.zeros(8, dtype=torch.int64)}, "holds no learned word"),
        ({"string_to_param": {}}, "holds no learned word"),
        ({"a": torch.full((8,), torch.nan)}, "not finite"),
        ({" ": torch.zeros(8)}, "cannot be called"),
        ({"a": torch.zeros(100, 8)}, "100 vectors"),
    ],
)
def test_files_without_one_word_are_a_sentence(tmp_path: Path, content: object, says: str) -> None:
    torch.save(content, tmp_path / "word.bin")
    with pytest.raises(InputError, match=says):
        read_word(tmp_path / "word.bin")


def test_damaged_and_missing_files_are_a_sentence(tmp_path: Path) -> None:
    for name in ("word.bin", "word.safetensors"):
        with pytest.raises(InputError, match=r"learned_embeds\.bin"):
            read_word(tmp_path / name)
        (tmp_path / name).write_bytes(b"no word")
        with pytest.raises(InputError, match=name):
            read_word(tmp_path / name)
    with pytest.raises(InputError, match="end its name in"):
        write_word(Word("a", vectors()), tmp_path / "word.txt")


def test_a_text_says_the_word() -> None:
    word = Word("_cat_", vectors())
    assert with_word("a photo of <token>, <token>", word) == "a photo of _cat_, _cat_"
    assert with_word("a photo", None) == "a photo"
    with pytest.raises(InputError, match="there is no learned word"):
        with_word("a photo of <token>", None)


@pytest.mark.parametrize("count", [1, 2])
def test_a_word_is_read_as_its_vectors(count: int) -> None:
    prior, plain = tiny_prior(), tiny_prior()
    word = Word("_cat_2_", vectors(count))
    prior.add(word)
    ids = prior.token_ids(["a _cat_2_ of"])[0]
    table = prior.text_encoder.get_input_embeddings().weight
    assert torch.equal(table[ids[2 : 2 + count]], word.vectors)
    assert ids[2 + count] == plain.token_ids(["of"])[0, 1]
    known = plain.text_encoder.get_input_embeddings().weight
    assert torch.equal(table[: len(known)], known), "other words are what they were"
    torch.testing.assert_close(prior.embed(["a cat"]), plain.embed(["a cat"]))


@pytest.mark.parametrize("count", [1, 2])
def test_words_with_one_beginning_are_two_words(count: int) -> None:
    prior = tiny_prior()
    prior.add(Word("_cat", vectors(count, seed=1)))
    prior.add(Word("_cat_2", vectors(count, seed=2)))
    first, second = (prior.token_ids([text])[0, 1 : 1 + count].tolist() for text in ("_cat", "_cat_2"))
    assert not set(first) & set(second)
    assert min(first + second) >= 194, "both are new tokens"


@pytest.mark.parametrize("name", ["_Cat_", "<CAT>", "blue vase", "Ünicode", "a.b*c", "cat"])
def test_words_of_any_letters_are_found(name: str) -> None:
    """Texts are read in small letters, and words are found all the same."""
    prior = tiny_prior()
    if name == "cat":  # that is a part of a word which is known
        prior.add(Word("cats", vectors()))
        assert 194 in prior.token_ids(["two cats"])[0].tolist()
        return
    prior.add(Word(name, vectors()))
    assert prior.token_ids([f"a {name} of"])[0, 2] == 194


def test_a_text_beyond_what_is_read_is_a_sentence() -> None:
    prior = tiny_prior()
    assert prior.token_ids(["a " * 75]).shape == (1, 77)
    with pytest.raises(InputError, match="has 76 tokens, and the text encoder reads 75: shorten it"):
        prior.token_ids(["a " * 76])


def test_adding_a_word_draws_nothing() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    tiny_prior().add(Word("_cat_", vectors()))
    assert torch.equal(torch.rand(3), expected)


def test_words_that_do_not_fit_are_a_sentence() -> None:
    prior = tiny_prior()
    with pytest.raises(InputError, match="768 numbers a vector, and the text encoder takes 16"):
        prior.add(Word("_cat_", vectors(1, 768)))
    prior.add(Word("_cat_", vectors()))
    with pytest.raises(InputError, match="knows the word _cat_ already"):
        prior.add(Word("_cat_", vectors()))
