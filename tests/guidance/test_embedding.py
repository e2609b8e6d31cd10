"""Textual inversion end to end, on models of a few thousand numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.tiny_diffusion import save_clip, save_tiny, tiny_prior

from monoform.cli import main
from monoform.errors import InputError
from monoform.guidance.textual.augment import Augmentation, augmented, draw, in_range, plain
from monoform.guidance.textual.initializer import NounRanking, known_nouns
from monoform.guidance.textual.learned import first_vectors, inversion_loss, learn
from monoform.guidance.textual.photos import read_photos
from monoform.guidance.textual.templates import TEMPLATES
from monoform.guidance.textual.train import EmbeddingTraining, train_embedding
from monoform.guidance.words import Word, read_word, write_word
from monoform.training import TrainOptions


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(2):
        picture(number).save(folder / f"{number}.png")
    return folder


def picture(seed: int = 0) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((96, 72), Image.Resampling.BICUBIC)


def settings(model: Path | str, **changes) -> EmbeddingTraining:
    start = EmbeddingTraining(
        model=str(model), word="_it_", initializer="cat", accumulate=1, evaluate_every=0, save_every=0
    )
    return replace(start, **changes)


def learned(photos: Path, out: Path, asked: EmbeddingTraining, steps: int = 1) -> torch.Tensor:
    options = asked.loop(steps=steps, device="cpu", progress=False)
    train_embedding(photos, out, options, asked)
    return read_word(out / "learned_embeds.bin").vectors


def test_a_word_learns_what_lowers_the_loss() -> None:
    prior = tiny_prior()
    word = learn(prior, Word("_it_", first_vectors(prior, "cat")))
    generator = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    ids, times = prior.token_ids(["a _it_", "of _it_"]), torch.tensor([100, 700])
    optimizer = torch.optim.Adam(word.parameters(), 0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        losses.append(inversion_loss(prior, latents, noise, times, ids))
        losses[-1].backward()
        optimizer.step()
    assert float(losses[-1]) < 0.98 * float(losses[0])
    assert not any(parameter.grad is not None for parameter in prior.unet.parameters())


def test_gradients_are_those_of_the_rows_of_the_table() -> None:
    """As if the table itself were trained: a word that a text says twice gets both gradients."""
    prior, whole = tiny_prior(), tiny_prior()
    start = first_vectors(prior, "cat", 2)
    word = learn(prior, Word("_it_", start))
    whole.add(Word("_it_", start))
    table = whole.text_encoder.get_input_embeddings().weight.requires_grad_()
    draws = torch.zeros(1, 4, 8, 8), torch.ones(1, 4, 8, 8), torch.tensor([400])
    ids = prior.token_ids(["_it_ of _it_"])
    for each in (prior, whole):
        inversion_loss(each, *draws, ids).backward()
    numbers = ids[0, 1:3]
    torch.testing.assert_close(word.vectors.grad, table.grad[numbers])


def test_a_velocity_is_learned_as_such() -> None:
    prior = tiny_prior(prediction="v_prediction")
    latents, noise = torch.rand(1, 4, 8, 8), torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    time, ids = torch.tensor([600]), prior.token_ids(["a cat"])
    kept = prior.alphas_cumprod[600]
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    found = prior.raw(noisy, time, prior.embed(["a cat"]))
    true = ((found - (kept.sqrt() * noise - (1 - kept).sqrt() * latents)) ** 2).mean()
    torch.testing.assert_close(inversion_loss(prior, latents, noise, time, ids).detach(), true.detach())


def test_an_interrupted_training_ends_alike(model: Path, photos: Path, tmp_path: Path) -> None:
    asked = settings(model, checkpoint_every=2, augment=False, accumulate=2)
    whole = learned(photos, tmp_path / "whole", asked, steps=4)
    half = learned(photos, tmp_path / "parts", asked, steps=2)
    assert torch.equal(learned(photos, tmp_path / "parts", asked, steps=4), whole)
    assert not torch.equal(half, whole)
    written = read_word(tmp_path / "whole" / "learned_embeds.safetensors")
    assert written.name == "_it_" and torch.equal(written.vectors, whole)


def test_a_training_of_another_word_or_other_photos_does_not_go_on(model: Path, photos: Path, tmp_path: Path) -> None:
    asked = settings(model, augment=False)
    learned(photos, tmp_path / "out", asked, steps=1)
    with pytest.raises(InputError, match="holds a training with word _it_, and _that_ is asked for"):
        learned(photos, tmp_path / "out", replace(asked, word="_that_"), steps=2)
    Image.new("RGB", (64, 64), (250, 250, 250)).save(tmp_path / "other.png")
    with pytest.raises(InputError, match="out holds a training of other photos: give the same, or another folder"):
        learned(tmp_path / "other.png", tmp_path / "out", asked, steps=2)


@pytest.fixture(scope="module")
def usual(model: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, torch.Tensor]:
    """The word after two steps, with and without augmentation."""
    out = tmp_path_factory.mktemp("usual")
    return {
        on: learned(photos, out / str(on), settings(model, augment=on, cached=2, rate=0.1), steps=2)
        for on in (False, True)
    }


@pytest.mark.parametrize(
    ("augment", "changes"),
    [
        (True, {"initializer": "hat"}),
        (True, {"teaches": "style"}),
        (True, {"image_size": 32}),
        (True, {"batch": 2, "scale_rate": False}),
        (True, {"rate": 0.2}),
        (True, {"accumulate": 2}),
        (True, {"warmup": 4}),
        (True, {"weight_decay": 0.5}),
        (True, {"crop": (0.3, 0.4)}),
        (True, {"published_range": True}),
        (True, {"cached": 0}),
        (True, {"model_precision": "bfloat16"}),
        (True, {"flip": 0.0}),
        (False, {"augment": True}),
        (False, {"center_crop": True}),
        (False, {"flip": 1.0}),
        (False, {"interpolation": "nearest"}),
    ],
    ids=str,
)
def test_options_change_what_is_learned(
    usual: dict[bool, torch.Tensor], model: Path, photos: Path, tmp_path: Path, augment: bool, changes: dict
) -> None:
    asked = replace(settings(model, augment=augment, cached=2, rate=0.1), **changes)
    assert not torch.equal(learned(photos, tmp_path / "out", asked, steps=2), usual[augment])


@pytest.mark.parametrize("changes", [{"gradient_checkpointing": True}, {"offload": True}], ids=str)
def test_options_for_less_memory_change_nothing(
    usual: dict[bool, torch.Tensor], model: Path, photos: Path, tmp_path: Path, changes: dict
) -> None:
    asked = replace(settings(model, cached=2, rate=0.1), **changes)
    torch.testing.assert_close(learned(photos, tmp_path / "out", asked, steps=2), usual[True], rtol=1e-4, atol=1e-5)


def test_the_command_writes_words_and_pictures(model: Path, photos: Path, tmp_path: Path, capsys) -> None:
    (photos / "notes.txt").write_text("no photo")
    (photos / "broken.png").write_bytes(b"no photo either")
    out = tmp_path / "out"
    line = f"train embedding --data {photos} -o {out} --model {model} --word _it_ --initializer cat --device cpu"
    more = "--steps 2 --vectors 2 --save-every 1 --evaluate-every 2"
    shown = "--validation-prompt <token> --validation-steps 2 --validation-images 2"
    try:
        with pytest.raises(SystemExit) as ended:
            main([*line.split(), *more.split(), *shown.split()])
        assert ended.value.code == 0
    finally:
        (photos / "notes.txt").unlink()
        (photos / "broken.png").unlink()
    said = capsys.readouterr().out
    assert "notes.txt is left out: it is no photo." in said and "broken.png is left out" in said
    assert read_word(out / "learned_embeds-steps-1.bin").vectors.shape == (2, 16)
    first, last = (read_word(out / f"learned_embeds-steps-{step}.bin").vectors for step in (1, 2))
    assert not torch.equal(first, last) and torch.equal(last, read_word(out / "learned_embeds.bin").vectors)
    (made,) = (out / "pictures").glob("validation_*.png")
    assert Image.open(made).size == (128, 64)


def test_the_step_is_scaled_by_its_pictures(model: Path, photos: Path, tmp_path: Path) -> None:
    """Adam's first step is the rate along every number: of three pictures three times as far."""
    start = first_vectors(tiny_prior(), "cat")
    moved = [
        learned(photos, tmp_path / str(count), settings(model, batch=count, weight_decay=0.0)) - start
        for count in (1, 3)
    ]
    for count, way in zip((1, 3), moved, strict=True):
        torch.testing.assert_close(way.abs(), torch.full_like(way, count * 5e-4), rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"initializer": "teapot"}, r"'teapot' is not one token .*'t'"),
        ({"word": "cat</w>"}, "knows the word"),
        ({"word": " x"}, "cannot be called"),
        ({"model": "/nowhere/at/all"}, "neither the folder of a diffusion model"),
    ],
)
def test_what_cannot_be_learned_is_a_sentence(
    model: Path, photos: Path, tmp_path: Path, changes: dict, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        learned(photos, tmp_path / "out", settings(**{"model": model, **changes}))


def test_options_out_of_range_are_a_sentence(model: Path) -> None:
    for wrong in ({"teaches": "x"}, {"interpolation": "x"}, {"model_precision": "x"}, {"vectors": 0}, {"flip": 2.0}):
        with pytest.raises(
            InputError, match=f"The embedding's {next(iter(wrong))}|the embedding's {next(iter(wrong))}"
        ):
            settings(model, **wrong)


def test_words_that_no_training_wrote_stay(model: Path, photos: Path, tmp_path: Path) -> None:
    write_word(Word("_mine_", torch.ones(1, 16)), tmp_path / "learned_embeds.bin")
    with pytest.raises(InputError, match="is there and no training of monoform"):
        learned(photos, tmp_path, settings(model))
    assert read_word(tmp_path / "learned_embeds.bin").name == "_mine_"


def test_photos_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no photo that can be used"):
        read_photos(tmp_path)
    clear = picture().convert("RGBA")
    clear.putalpha(0)
    clear.save(tmp_path / "clear.png")
    (found,) = read_photos(tmp_path).images
    assert found.mode == "RGB" and found.getextrema() == ((255, 255),) * 3, "what is transparent is white"
    assert len(read_photos(tmp_path / "clear.png").images) == 1
    for name in ("image.png", "mask.png", "rgba.png"):
        picture().save(tmp_path / name)
    found = read_photos(tmp_path)
    assert len(found.images) == 2
    assert sorted(word.split()[0] for word in found.left_out) == ["mask.png", "rgba.png"]


def test_every_template_has_one_place() -> None:
    for texts in TEMPLATES.values():
        assert len(set(texts)) == len(texts) and all(text.count("{}") == 1 for text in texts)
    assert (len(TEMPLATES["object"]), len(TEMPLATES["style"])) == (27, 19)


def test_augmented_pictures_are_of_one_size_and_follow_the_generator() -> None:
    options = Augmentation(size=48)
    first, again, other = (
        np.asarray(augmented(picture(), options, torch.Generator().manual_seed(seed))) for seed in (0, 0, 1)
    )
    assert first.shape == (48, 48, 3) and (first == again).all() and (first != other).any()


def test_coins_come_as_often_as_is_asked() -> None:
    options = Augmentation(size=64, rotate=0.2, jitter=0.6, gray=0.4, blur=0.8, flip=0.3)
    generator = torch.Generator().manual_seed(0)
    drawn = [draw(options, generator) for _ in range(2000)]
    shares = {
        "rotate": [each.angle is not None for each in drawn],
        "jitter": [each.changes is not None for each in drawn],
        "gray": [each.gray for each in drawn],
        "blur": [each.sigma is not None for each in drawn],
        "flip": [each.flip for each in drawn],
    }
    for name, happened in shares.items():
        assert abs(np.mean(happened) - getattr(options, name)) < 0.05, name
    assert max(abs(each.angle or 0) for each in drawn) <= options.degrees


def test_the_plain_path_keeps_or_squeezes() -> None:
    flat = Image.new("RGB", (60, 40), (255, 0, 0))
    flat.paste((0, 0, 255), (0, 0, 10, 40))
    squeezed, middle = (
        np.asarray(plain(flat, 40, center_crop=crop, flip=False, interpolation="nearest")) for crop in (False, True)
    )
    assert (squeezed[0, :6, 2] == 255).all() and (middle[..., 0] == 255).all()
    mirrored = plain(flat, 40, center_crop=False, flip=True, interpolation="nearest")
    assert (np.asarray(mirrored)[:, ::-1] == squeezed).all()
    washed = in_range(flat, published=True)
    assert float(washed.min()) == 0.5 and float(washed.max()) == 1.0


def test_the_nearest_noun_by_clip(tmp_path: Path, model: Path, photos: Path, capsys) -> None:
    clip, file = save_clip(tmp_path / "clip"), tmp_path / "nouns.safetensors"
    ranking = NounRanking(str(clip), nouns=("cat", "zebra", "hat", "cat"), file=file)
    assert ranking.nouns == ("cat", "hat"), "zebra is several tokens, cat is one noun"
    found = ranking.best(picture())
    assert sorted(noun for noun, _ in found) == ["cat", "hat"] and found[0][1] >= found[1][1]
    torch.testing.assert_close(ranking.features.norm(dim=1), torch.ones(2))
    kept = file.read_bytes()
    again = NounRanking(str(clip), nouns=("cat", "hat"), file=file)
    assert torch.equal(again.features, ranking.features) and file.read_bytes() == kept
    file.write_bytes(b"damaged")
    with pytest.raises(InputError, match="remove it"):
        NounRanking(str(clip), nouns=("cat", "hat"), file=file)
    with pytest.raises(InputError, match="No noun is one token"):
        NounRanking(str(clip), nouns=("zebra",))
    with pytest.raises(InputError, match=r"cannot be had .*--initializer WORD"):
        NounRanking(str(tmp_path / "nothing"))
    out = tmp_path / "out"
    learned(photos, out, settings(model, initializer="auto", clip_model=str(clip)))
    assert "nearest nouns: " in capsys.readouterr().out and (out / "nouns.safetensors").is_file()


def test_the_nouns_are_words() -> None:
    nouns = known_nouns()
    assert len(set(nouns)) == len(nouns) > 300 and all(noun.isalpha() and noun.islower() for noun in nouns)


def test_the_loop_is_told_the_published_numbers() -> None:
    asked = EmbeddingTraining()
    options = asked.loop(steps=3000)
    assert isinstance(options, TrainOptions) and options.accumulate == 4 and options.ema_decay is None
    assert asked.rate * options.accumulate * asked.batch == 2e-3
