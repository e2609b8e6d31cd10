"""Bootstrapped inversion's refinement, alone and after encoder and pose solver, against its golden cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from tests.parity.checks_bootstrap_encoder import (
    compare_from_below,
    compare_rotations,
    encoder_of,
    lpips_of,
    mean_psnr,
    plain_lpips,
    published_cameras,
)
from tests.parity.checks_bootstrap_model import config_of, generator_of
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from torch import Tensor

from monoform.methods.bootstrap.cameras import camera_of
from monoform.methods.bootstrap.estimate_pose import EstimatedCameras, focal_guesses
from monoform.methods.bootstrap.inversion_options import InversionOptions
from monoform.methods.bootstrap.invert import Inverted, invert
from monoform.methods.bootstrap.model import BootstrapGenerator
from monoform.methods.bootstrap.objective import Objective
from monoform.methods.bootstrap.pose_parameters import PoseParameters, rotation_degrees
from monoform.methods.bootstrap.refined_state import State
from monoform.methods.bootstrap.refinement import Chance, Refinement
from monoform.methods.bootstrap.rendering import places_of
from monoform.methods.bootstrap.target import Target
from monoform.metrics.image import ssim

PARAMETERS = {"R": "quaternion", "s": "scale", "t2": "offset", "z0": "focal"}


class Twin:
    """A case's refinement, with its draws."""

    def __init__(self, case: Case) -> None:
        self.case, config = case, case.config
        config.one_of("crop_box", False)
        config.one_of("augment_p", 1.0)
        optimizer = config["optimiser"]
        optimizer.one_of("name", "adam")
        optimizer.one_of("betas", [0.9, 0.95])
        self.net = generator_of(config_of(config), case.manifest)
        self.flipped = self.net.config.scene.flipped
        self.target = case.tensor("target")
        assert tuple(self.target.shape[:3]) == (config["batch"], *config["image_size"])
        self.lpips = lpips_of(case.manifest["lpips"])
        white = self.net.config.scene.white
        copies = config["augmented_copies"]
        self.objective = Objective(config["loss"], self.lpips, white=white, copies=copies, plain=True)
        self.options = InversionOptions(
            steps=config["steps"],
            gain=config["gain"],
            rate=optimizer["lr"],
            split=config["split_latent"],
            refine_pose=config["optimise_pose"],
            counting="all",
        )

    def chance(self, names: Sequence[str]) -> Chance:
        """The draws of a step, in the published order."""
        draws = iter([self.case.tensor(name) for name in names])
        height, width = self.target.shape[1:3]
        shape = (len(self.target), height * width)
        noise = "none"
        if self.net.config.network.noise:
            noise = iter([next(draws) for _ in range(self.net.synthesis_network.convolutions)])
        even = places_of(shape, self.net.config, None)
        places = replace(even, strata=next(draws).reshape(even.strata.shape))
        if even.levels.numel():
            places = replace(places, levels=next(draws).reshape(even.levels.shape))
        return Chance(places, draws, noise)

    def run(
        self, cameras: EstimatedCameras, chance: Callable[[int], Chance]
    ) -> tuple[Inverted, list[tuple[dict[str, Tensor], dict[str, Tensor], Tensor, State]]]:
        """The refinement, and of each step the loss' terms, gradients, the render, and the state after it."""
        steps, states = [], []
        loss, rgb_of = Refinement.loss, []
        net, options, case = self.net, self.options, self.case
        target = Target(self.target[..., :3])

        class Watched(Refinement):
            def look(self, *given, **more):  # type: ignore[no-untyped-def]
                found = super().look(*given, **more)
                rgb_of.append(found[0].detach())
                return found

            def loss(self, values, step):  # type: ignore[no-untyped-def]
                states.append(State.of({name: value.detach().clone() for name, value in values.items()}))
                terms = loss(self, values, step)
                wanted = {name: value for name, value in values.items() if value.requires_grad}
                total = torch.stack([term.sum() for term in terms.values()]).sum()
                found = torch.autograd.grad(total, list(wanted.values()), retain_graph=True)
                steps.append((terms, dict(zip(wanted, found, strict=True)), rgb_of[-1]))
                return terms

        latent = case.tensor("w_init")
        found = invert(net, target, latent, cameras, self.objective, options, chance=chance, refinement=Watched)
        last = State(found.styles / options.gain, found.pose)
        after = [*states[1:], last]
        return found, [(*step, state) for step, state in zip(steps, after, strict=True)]

    def compare_state(self, prefix: str, state: State) -> None:
        if f"{prefix}w" in self.case:
            self.case.compare(f"{prefix}w", state.latent * self.options.gain)
        for theirs, ours in PARAMETERS.items():
            value = getattr(state.pose, ours)
            if value is not None and f"{prefix}{theirs}" in self.case:
                self.case.compare(f"{prefix}{theirs}", value * self.sign(prefix, state) if theirs == "R" else value)

    def sign(self, prefix: str, state: State) -> Tensor:
        """Which of the two quaternions of a rotation the case has; what follows is the same."""
        golden = torch.from_numpy(self.case.arrays[f"{prefix}R"])
        return torch.where((golden * state.pose.quaternion).sum(dim=1, keepdim=True) < 0, -1.0, 1.0)

    def compare_steps(self, steps: Sequence[tuple[dict[str, Tensor], dict[str, Tensor], Tensor, State]]) -> None:
        case = self.case
        for number, (terms, gradients, rgb, state) in enumerate(steps):
            prefix = f"out_step{number}_"
            case.compare(f"{prefix}loss", torch.stack([term.sum() for term in terms.values()]).sum())
            if f"{prefix}rgb" in case:
                case.compare(f"{prefix}rgb", rgb)
            if f"{prefix}psnr" in case:
                case.compare(f"{prefix}psnr", mean_psnr(rgb, self.target))
            if f"{prefix}lpips" in case:
                distance = plain_lpips(self.lpips, rgb, self.target)
                case.compare(f"{prefix}lpips", distance.reshape(case.arrays[f"{prefix}lpips"].shape))
            for theirs, ours in {"z": "latent", **PARAMETERS}.items():
                if f"{prefix}grad_{theirs}" in case:
                    sign = self.sign(prefix, state) if theirs == "R" else 1.0
                    case.compare(f"{prefix}grad_{theirs}", gradients[ours] * sign)
            self.compare_state(prefix, state)


def known(matrices: Tensor, focal: Tensor | None) -> EstimatedCameras:
    """Given cameras as if they had been estimated."""
    one = torch.ones(len(matrices), 1)
    return EstimatedCameras(matrices[:, None], None if focal is None else focal[:, None], one, one, one > 0)


@check("bootstrap-inversion", "inversion")
def inversion(case: Case) -> None:
    config, twin = case.config, Twin(case)
    config.one_of("z0_limit", 4)
    focal = case.tensor("focal_init") if "focal_init" in case else None
    cameras = known(case.tensor("cam2world_init"), focal)
    case.taken.update({"true_w", "true_cam2world", "true_focal"} & set(case.arrays))
    start = PoseParameters.of_matrices(cameras.world_from_camera[:, 0], focal, flipped=twin.flipped)
    latent = case.tensor("w_init").expand(-1, twin.net.slots if twin.options.split else 1, -1)
    twin.compare_state("out_init_", State(latent / twin.options.gain, start))
    _, steps = twin.run(cameras, lambda step: twin.chance(config["draws"][f"step{step}"]))
    twin.compare_steps(steps)


@check("bootstrap-inversion", "end-to-end")
def end_to_end(case: Case) -> None:
    config, twin = case.config, Twin(case)
    with torch.no_grad():
        encoded = encoder_of(config["encoder"], case.manifest["encoder"])(twin.target[..., :3].permute(0, 3, 1, 2))
    stride = config["encoder"]["stored_stride"]
    assert encoded.coordinates is not None and encoded.mask is not None and encoded.latent is not None
    case.compare("out_encoder_w", encoded.latent)
    case.compare("out_encoder_coords_sub", encoded.coordinates[:, ::stride, ::stride])
    case.compare("out_encoder_segmentation_sub", encoded.mask[:, ::stride, ::stride])
    config.one_of("w_init", "true_w + 0.1 * encoder latent")
    start = case.tensor("true_w").reshape(encoded.latent.shape) + 0.1 * encoded.latent
    torch.testing.assert_close(start, case.tensor("w_init"), atol=1e-4, rtol=0)
    focals = None
    if twin.net.config.scene.projection == "perspective":
        focals = focal_guesses(case.tensor("train_focals"))
        assert len(focals) == config["focal_guesses"]
    cameras = published_cameras(case.tensor("coords"), twin.target[..., 3], focals, config["mask_threshold"])
    compare_rotations(case, "out_pnp_cam2world", cameras.world_from_camera[:, 0])
    if cameras.focal is not None:
        case.compare("out_pnp_focal", cameras.focal[:, 0])
    compare_from_below(case, "out_pnp_error", cameras.error[:, 0].double())
    order = case.names("step")
    found, steps = twin.run(cameras, lambda step: twin.chance([n for n in order if n.startswith(f"step{step}_")]))
    twin.compare_steps(steps)
    case.compare("out_final_cam2world", found.world_from_camera)
    if found.focal is not None:
        case.compare("out_final_focal", found.focal)
    compare_final(case, twin.net, twin, found)


@torch.no_grad()
def compare_final(case: Case, net: BootstrapGenerator, twin: Twin, found: Inverted) -> None:
    """A fresh render, and how far it is from the photo."""
    chance = twin.chance(case.names("eval_draw"))
    camera = camera_of(found.world_from_camera, found.focal, tuple(twin.target.shape[1:3]))  # type: ignore[arg-type]
    seen = net.render(found.styles, camera, noise=chance.noise, draws=chance.places)
    case.compare("out_final_rgb", seen.rgb)
    case.compare("out_final_mask", seen.alpha)
    rgb, mask = seen.rgb.clamp(-1, 1), twin.target[..., 3]
    case.compare("out_psnr", mean_psnr(rgb, twin.target).reshape(1))
    pairs = zip(rgb / 2 + 0.5, twin.target[..., :3] / 2 + 0.5, strict=True)
    case.compare("out_ssim", torch.tensor([ssim(*pair) for pair in pairs]))
    both, either = ((seen.alpha > 0.5) & (mask > 0.5)).sum((1, 2)), ((seen.alpha > 0.5) | (mask > 0.5)).sum((1, 2))
    case.compare("out_iou", (both + 1e-6) / (either + 1e-6))
    case.compare("out_lpips", plain_lpips(twin.lpips, rgb, twin.target).reshape(case.arrays["out_lpips"].shape))
    truth = case.tensor("true_cam2world")
    case.compare("out_rot_error", rotation_degrees(found.world_from_camera, truth))
    case.taken.add("true_focal")
