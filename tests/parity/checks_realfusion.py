"""RealFusion's encodings and marching against their golden cases."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check
from tests.parity.tolerances import EPSILON

from monoform.nn import FrequencyEncoding
from monoform.nn.hashgrid import GridOptions, HashGrid
from monoform.nn.spherical_harmonics import spherical_harmonics
from monoform.render.march import MarchOptions, box_limits, march, sphere_coordinates
from monoform.render.occupancy import OccupancyGrid, morton_codes, morton_coordinates, pack_bits, unpack_bits
from monoform.render.packed import STOP, composite_packed


def grid_of(config: dict) -> HashGrid:
    """The grid that a part of a manifest describes."""
    options = GridOptions(
        dimensions=config["dim"],
        levels=config["levels"],
        features=config["feats"],
        base=config["base"],
        finest=float(config["desired"]),
        log2_hashmap_size=config["log2"],
        kind=config["kind"],
        align_corners=config["align"],
        interpolation=config["interp"],
    )
    return HashGrid(options, bound=config["bound"])


@check("realfusion", "grid_encode")
def grid_encode(case: Case) -> None:
    tables = fill_state(case.manifest)
    for name, config in case.config.items():
        grid = grid_of(config)
        case.compare(f"{name}.offsets", grid.offsets)
        growth = np.asarray(grid.options.growth, case.arrays[f"{name}.per_level_scale"].dtype)
        case.compare(f"{name}.per_level_scale", growth)
        grid.load_state_dict(
            {"embeddings": torch.from_numpy(tables[f"{name}.embeddings"]), "offsets": grid.offsets}, strict=True
        )
        x = case.tensor(f"{name}.x").requires_grad_()
        out = grid(x)
        case.compare(f"{name}.out", out)
        asked = (grid.embeddings, x)
        for_table, for_x = torch.autograd.grad(out, asked, case.tensor(f"{name}.grad_out"))
        rows = case.arrays[f"{name}.grad_emb_rows"]
        touched = torch.from_numpy(rows).long()
        case.compare(f"{name}.grad_emb_values", for_table[touched])
        others = for_table.clone()
        others[touched] = 0
        limit = case.limit(f"{name}.grad_emb_values", "abs")
        others = others.abs().amax(dim=1)
        # What a row gets may be so small that rounding makes it 0.
        found = np.union1d(np.flatnonzero(others > limit), rows)
        case.compare(f"{name}.grad_emb_rows", found.astype(rows.dtype))
        if f"{name}.grad_x" in case:
            case.compare(f"{name}.grad_x", for_x)


@check("realfusion", "direction_encodings")
def direction_encodings(case: Case) -> None:
    config = case.config
    waves = FrequencyEncoding(config["frequency_degree"], factor=1.0)
    encodings = {f"freq{config['frequency_degree']}": waves}
    for degree in config["harmonic_degrees"]:
        encodings[f"sh{degree}"] = partial(spherical_harmonics, degree=degree)
    for name, encode in encodings.items():
        directions = case.tensor("dirs").requires_grad_()
        out = encode(directions)
        case.compare(name, out)
        (gradient,) = torch.autograd.grad(out, directions, case.tensor(f"{name}_grad_out"))
        case.compare(f"{name}_grad_dirs", gradient)


@check("realfusion", "rays_morton_bits")
def rays_morton_bits(case: Case) -> None:
    rays = case.tensor("rays_o"), case.tensor("rays_d")
    for name, options in case.config["runs"].items():
        near, far = box_limits(*rays, case.tensor(options["box"]).reshape(2, 3), options["min_near"])
        case.compare(f"nears_{name}", near)
        case.compare(f"fars_{name}", far)
    origins = case.tensor("sph_origins")
    for name in case.names("sph_coords_r"):
        case.compare(name, sphere_coordinates(origins, rays[1], case.config["sphere_radius"]))
    codes = morton_codes(case.tensor("coords"))
    case.compare("morton", codes)
    case.compare("morton_back", morton_coordinates(codes))
    packed = pack_bits(case.tensor("grid"), float(case.array("thresh")))
    case.compare("bitfield", packed)
    assert bool((unpack_bits(packed) == (case.tensor("grid").flatten() > float(case.array("thresh")))).all())


@check("realfusion", "march")
def marching(case: Case) -> None:
    for name, config in case.config.items():
        grid = OccupancyGrid(config["bound"])
        grid.density_bitfield.copy_(case.tensor(f"{name}.bitfield"))
        grid.unpack()
        config.one_of("cells", 128)
        config.one_of("stop_transmittance", STOP)
        options = MarchOptions(config["max_steps"], config["dt_gamma"], nearest=config["min_near"])
        origins, directions = case.tensor(f"{name}.rays_o"), case.tensor(f"{name}.rays_d")
        box = torch.tensor([-1.0, 1.0])[:, None].expand(2, 3) * config["bound"]
        limits = box_limits(origins, directions, box, options.nearest)
        for ours, golden in zip(limits, ("nears", "fars"), strict=True):
            case.compare(f"{name}.{golden}", ours)
        samples = march(grid, origins, directions, *limits, options, noise=case.tensor(f"{name}.noise"))
        case.compare(f"{name}.counts", samples.counts.int())
        # Distances along rays are sums of many steps in single precision, known to the last bit of the farthest.
        far = EPSILON * float(limits[1][limits[1] < 1e30].max())
        case.compare(f"{name}.xyzs", samples.points(origins, directions), rounding=far)
        case.compare(f"{name}.deltas", torch.stack((samples.length, samples.gap), dim=1), rounding=far)
        total, rows = len(samples.ray), config["pad_rows"]
        case.compare(f"{name}.padded_rows", np.int32(total + rows - total % rows))
        evaluation_march(case, name, grid, options, origins, directions, limits, slots=config["infer_steps"])


def evaluation_march(case, name, grid, options, origins, directions, limits, *, slots: int) -> None:
    """The first samples of each ray, and what they add to it."""
    samples = march(grid, origins, directions, *limits, options, most=slots)
    first = samples.counts.cumsum(0) - samples.counts
    places = samples.ray * slots + torch.arange(len(samples.ray)) - first[samples.ray]
    points, deltas = torch.zeros(len(origins) * slots, 3), torch.zeros(len(origins) * slots, 2)
    points[places] = samples.points(origins, directions)
    deltas[places] = torch.stack((samples.length, samples.gap), dim=1)
    case.compare(f"{name}.infer_xyzs", points)
    case.compare(f"{name}.infer_deltas", deltas)
    density, rgb = case.tensor(f"{name}.infer_sigmas")[places], case.tensor(f"{name}.infer_rgbs")[places]
    ends = samples.distance + samples.length
    seen = composite_packed(density, rgb, samples.length, ends, samples.counts)
    case.compare(f"{name}.infer_weights_sum", seen.alpha)
    case.compare(f"{name}.infer_image", seen.rgb)
    case.compare(f"{name}.infer_depth", seen.depth)
    thick = torch.zeros(len(origins)).index_add_(0, samples.ray, density * samples.length)
    alive = (samples.counts == slots) & (torch.exp(-thick) >= STOP)
    case.compare(f"{name}.infer_alive", torch.where(alive, torch.arange(len(origins)), -1).int())
    last = limits[0].clone()
    last[samples.ray] = ends
    last = torch.where(alive, last, limits[0])  # of rays that go on
    case.compare(f"{name}.infer_t", last)


@check("realfusion", "composite_train")
def composite_train(case: Case) -> None:
    case.config.one_of("stop_transmittance", STOP)
    table, density = case.tensor("rays").long(), case.tensor("sigmas").requires_grad_()
    rgb, deltas = case.tensor("rgbs").requires_grad_(), case.tensor("deltas")
    fits = table[:, 1] + table[:, 2] <= len(density)
    counts = torch.where(fits, table[:, 2], 0)
    used = int(counts.sum())
    first = counts.cumsum(0) - counts
    assert torch.equal(first[fits & (counts > 0)], table[fits & (counts > 0), 1]), "rays follow each other"
    rays = torch.repeat_interleave(torch.arange(len(counts)), counts)
    gaps = deltas[:used, 1].double()
    distance = (gaps.cumsum(0) - torch.cat((torch.zeros(1).double(), gaps.cumsum(0)))[first][rays]).float()
    seen = composite_packed(density[:used], rgb[:used], deltas[:used, 0], distance, counts)
    order = torch.argsort(table[:, 0])
    case.compare("weights_sum", seen.alpha[order])
    case.compare("depth", seen.depth[order])
    case.compare("image", seen.rgb[order])
    for_alpha, for_rgb = case.tensor("grad_weights_sum")[table[:, 0]], case.tensor("grad_image")[table[:, 0]]
    both = (seen.alpha * for_alpha).sum() + (seen.rgb * for_rgb).sum()
    found = torch.autograd.grad(both, (density, rgb), retain_graph=True)
    for name, values in zip(("grad_sigmas", "grad_rgbs"), found, strict=True):
        case.compare(name, values)
    (alone,) = torch.autograd.grad(seen.alpha, density, for_alpha)
    case.compare("grad_sigmas_from_ws", alone)
