"""LPIPS against an independent implementation on the same random weights, and what it says when a file is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as independent
from safetensors.torch import save_file

from monoform.errors import InputError
from monoform.metrics.lpips import Lpips
from monoform.nn.vgg import CHANNELS, STAGES, Vgg16

LINEAR = Path(independent.__file__).with_name("lpips_models") / "vgg.pth"  # the published layers


@pytest.fixture(scope="module")
def vgg() -> Vgg16:
    torch.manual_seed(0)
    net = Vgg16().requires_grad_(False)
    for layer in net.features:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            torch.nn.init.normal_(layer.bias, std=0.1)
    return net


@pytest.fixture(scope="module")
def files(vgg: Vgg16, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("weights")
    state = {**vgg.state_dict(), "classifier.0.weight": torch.zeros(2, 2)}
    torch.save(state, folder / "vgg16.pth")
    return folder / "vgg16.pth", LINEAR


@pytest.fixture(scope="module")
def lpips(files: tuple[Path, Path]) -> Lpips:
    return Lpips.load(*files)


def pair(seed: int, height: int = 24, width: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = torch.rand(height, width, 3, generator=generator)
    return first, (first + 0.3 * torch.randn(first.shape, generator=generator)).clamp(0, 1)


def test_names_and_layers_are_those_of_torchvision(vgg: Vgg16) -> None:
    weights = [name for name in vgg.state_dict() if name.endswith("weight")]
    numbers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    assert weights == [f"features.{number}.weight" for number in numbers]
    assert sum(tensor.numel() for tensor in vgg.state_dict().values()) == 14_714_688
    maps = vgg(torch.zeros(1, 3, 33, 16))
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 33, 16), (128, 16, 8), (256, 8, 4), (512, 4, 2), (512, 2, 1)]


def test_it_agrees_with_an_independent_implementation(
    vgg: Vgg16, lpips: Lpips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchmetrics builds its network from torchvision, in whose place the same random weights are put here."""
    monkeypatch.setattr(independent, "_get_tv_model_features", lambda *_, **__: vgg.features)
    other = independent._LPIPS(pretrained=True, net="vgg", pnet_rand=True).eval()
    for seed in range(3):
        first, second = pair(seed)
        inputs = [2 * image.permute(2, 0, 1)[None] - 1 for image in (first, second)]
        theirs = float(other(*inputs).detach())
        assert theirs > 1e-3
        assert lpips(first, second) == pytest.approx(theirs, rel=1e-4)
        assert lpips(first.numpy(), second.double().numpy()) == pytest.approx(theirs, rel=1e-4)


def test_it_agrees_with_a_plain_twin(vgg: Vgg16, lpips: Lpips) -> None:
    """The first two maps as sums over windows in float64; with all other layers off, only they count."""
    first, second = (image[:16, :16] for image in pair(5))
    linear = [np.random.default_rng(0).uniform(0, 1, channels) for channels in CHANNELS]
    for number in (2, 3, 4):
        linear[number][:] = 0
    tensors = [torch.from_numpy(weights).float() for weights in linear]
    assert Lpips(vgg, tensors)(first, second) == pytest.approx(plain_distance(vgg, linear, first, second), rel=1e-4)


def plain_distance(vgg: Vgg16, linear: list[np.ndarray], *images: torch.Tensor) -> float:
    mean, deviation = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    maps = []
    for image in images:
        x = ((2 * image.double().numpy() - 1 - mean) / deviation).transpose(2, 0, 1)
        own = []
        layers = iter(layer for layer in vgg.features if isinstance(layer, torch.nn.Conv2d))
        for stage in STAGES[:2]:
            for _ in stage:
                layer = next(layers)
                kernel, bias = layer.weight.double().numpy(), layer.bias.double().numpy()
                windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
                sums = np.tensordot(kernel, windows, axes=([1, 2, 3], [0, 3, 4]))
                x = np.maximum(sums + bias[:, None, None], 0)
            own.append(x / np.linalg.norm(x, axis=0))
            x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).max(axis=(2, 4))
        maps.append(own)
    pairs = zip(linear, *maps, strict=False)
    return float(sum((weights[:, None, None] * (a - b) ** 2).sum(axis=0).mean() for weights, a, b in pairs))


def test_equal_images_have_no_distance_and_gradients_are_finite(lpips: Lpips) -> None:
    first, second = pair(1)
    assert lpips(first, first) == 0.0
    x, y = (2 * image.permute(2, 0, 1)[None] - 1 for image in (first, second))
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(lpips.distances(x, y).sum(), x)
    assert bool(torch.isfinite(gradient).all()) and float(gradient.abs().max()) > 0
    both = lpips.distances(torch.cat((x, y)), torch.cat((y, x)))
    assert both.shape == (2,) and torch.allclose(both[0], both[1])


def test_a_missing_file_is_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"without torchvision's VGG-16 weights \(vgg16-397923af\.pth\) and the linear"
    ):
        Lpips.load(None, None)
    with pytest.raises(InputError, match=r"without the linear layers of LPIPS 0\.1"):
        Lpips.load(files[0], None)
    with pytest.raises(InputError, match="without torchvision's VGG-16 weights"):
        Lpips.load(None, files[1])
    with pytest.raises(InputError, match=r"There is no file .*none\.pth: give a state dict of torchvision's vgg16"):
        Lpips.load(tmp_path / "none.pth", files[1])


def test_wrong_files_are_one_sentence(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no tensor 'features\.0\.weight'; give a state dict of torchvision's vgg16"):
        Lpips.load(files[1], files[1])
    with pytest.raises(InputError, match=r"no tensor 'lin0\.model\.1\.weight'; give the linear layers"):
        Lpips.load(files[0], files[0])
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"text\.pth cannot be read"):
        Lpips.load(tmp_path / "text.pth", files[1])
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match="no state dict"):
        Lpips.load(files[0], tmp_path / "list.pth")
    layers = {f"lin{i}.model.1.weight": torch.ones(1, channels, 1, 1) for i, channels in enumerate(CHANNELS)}
    save_file(layers | {"lin3.model.1.weight": torch.full((1, 512, 1, 1), torch.nan)}, tmp_path / "nan.safetensors")
    with pytest.raises(InputError, match=r"damaged, its 'lin3\.model\.1\.weight' is not finite"):
        Lpips.load(files[0], tmp_path / "nan.safetensors")
    save_file(layers | {"lin1.model.1.weight": torch.ones(1, 64, 1, 1)}, tmp_path / "shape.safetensors")
    with pytest.raises(InputError, match=r"shape \(1, 64, 1, 1\) and not \(1, 128, 1, 1\)"):
        Lpips.load(files[0], tmp_path / "shape.safetensors")


def test_small_images_are_refused(lpips: Lpips) -> None:
    with pytest.raises(InputError, match="16 x 16 or more, not 15 x 20"):
        lpips(torch.zeros(20, 15, 3), torch.zeros(20, 15, 3))
