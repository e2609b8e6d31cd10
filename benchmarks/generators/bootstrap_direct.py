"""A network that regresses the camera's rotation directly: what coordinates and perspective-n-point are compared with.

    python benchmarks/generators/bootstrap_direct.py WEIGHTS -o direct.pt [--steps 3000] [--renders 4096] [--seed 0]

WEIGHTS is a generator's folder. The network is the encoder's SegFormer (MiT, `small`) with its map averaged and two
linear layers to the six numbers of a rotation (Zhou et al. 2019); it learns from the very renders that
`monoform train bootstrap-encoder --renders N` learns from with the same seed, as many a step, at the same rates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from monoform.methods.bootstrap import BootstrapEncoder
from monoform.methods.bootstrap.encoder import small_encoder
from monoform.methods.bootstrap.encoder_task import EncoderTask
from monoform.methods.bootstrap.networks import open_generator
from monoform.methods.bootstrap.pose_parameters import rotation_degrees
from monoform.methods.bootstrap.schedules import encoder_rate
from monoform.methods.bootstrap.train_encoder import EncoderTraining, cameras_of
from monoform.nn.segformer import SMALL, Segformer
from monoform.outputs import atomic_stream


class DirectPose(nn.Module):
    """Images -1..1 to rotations from camera to world."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Segformer(SMALL)
        self.tell = nn.Sequential(nn.Linear(SMALL.channels, SMALL.channels), nn.ReLU(), nn.Linear(SMALL.channels, 6))

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 3"]:
        """Orthonormal by Gram and Schmidt."""
        first, second = self.tell(torch.relu(self.backbone(images)).mean(dim=(2, 3))).split(3, dim=1)
        x = normalize(first, dim=1)
        y = normalize(second - (x * second).sum(dim=1, keepdim=True) * x, dim=1)
        return torch.stack((x, y, torch.linalg.cross(x, y)), dim=2)


def motions(rotations: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n 4 4"]:
    """The same as motions without a place."""
    whole = torch.eye(4).repeat(len(rotations), 1, 1)
    whole[:, :3, :3] = rotations
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--renders", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    settings, net = EncoderTraining(renders=asked.renders), open_generator(asked.weights)
    torch.manual_seed(asked.seed)
    of = BootstrapEncoder(small_encoder(net.config.network.w_dim))
    task = EncoderTask(
        of,
        net,
        cameras_of(net, asked.weights, settings),
        batch=settings.batch,
        rate=settings.rate,
        steps=asked.steps,
        cropped=True,
        kept=asked.renders,
        seed=asked.seed,
    )
    direct, schedule = DirectPose(), encoder_rate(asked.steps)
    optimizer = torch.optim.Adam(direct.parameters(), settings.rate)
    draws = torch.Generator().manual_seed(asked.seed)
    for step in range(asked.steps):
        optimizer.param_groups[0]["lr"] = settings.rate * schedule(step)
        renders = task.pool[torch.randint(asked.renders, (settings.batch,), generator=draws)]
        found = direct(renders.images)
        loss = (found - renders.views.world_from_camera[:, :3, :3]).square().sum(dim=(1, 2)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 250 == 0:
            off = rotation_degrees(motions(found.detach()), renders.views.world_from_camera).median()
            print(f"step {step}: median {float(off):.1f} degrees in the batch", flush=True)
    with atomic_stream(asked.out) as stream:
        torch.save(direct.state_dict(), stream)


if __name__ == "__main__":
    main()
