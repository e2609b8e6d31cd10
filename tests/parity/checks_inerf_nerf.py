"""The frequency network of NeRF, its rays and its compositing against golden cases."""

from __future__ import annotations

import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.methods.nerf import composite_raw, inverse_cdf, ndc_rays, published_rays
from monoform.nn.nerf_mlp import NerfMlp

NETWORK, PARTS = 1e-3, 1e-4
NDC_SIZE = (30, 40, 37.5)  # height, width, focal length: in the case's text alone
RAYS_FOCAL = 6.5


@check("inerf", "vanilla_pieces")
def vanilla_pieces(case: Case) -> None:
    config = case.manifest["config"]
    net = NerfMlp(
        config["multires"], config["multires_views"], depth=config["netdepth"], width=config["netwidth"]
    ).eval()
    net.load_state_dict({name: torch.from_numpy(values) for name, values in fill_state(case.manifest).items()})
    with torch.no_grad():
        raw = net(case.tensor("x"), case.tensor("viewdirs"))
        case.compare("raw_out", raw, atol=NETWORK)
        torch.testing.assert_close(net.density(case.tensor("x")), raw[:, 3].relu())
    levels = torch.linspace(0.0, 1.0, case.arrays["pdf_samples"].shape[1]).expand(len(case.arrays["bins"]), -1)
    case.compare("pdf_samples", inverse_cdf(case.tensor("bins"), case.tensor("weights"), levels), atol=PARTS)
    seen = composite_raw(case.tensor("comp_raw"), case.tensor("comp_z"), case.tensor("comp_rays_d"), white=True)
    ours = {
        "rgb": seen.rgb,
        "disp": seen.disparity,
        "acc": seen.alpha,
        "weights": seen.weights,
        "depth": seen.depth,
    }
    for name, values in ours.items():
        case.compare(f"comp_{name}", values, atol=PARTS)
    height, width, focal = NDC_SIZE
    scale = (2 * focal / width, 2 * focal / height)
    for name, values in zip(("o", "d"), ndc_rays(case.tensor("ndc_o_in"), case.tensor("ndc_d_in"), scale), strict=True):
        case.compare(f"ndc_{name}", values, atol=PARTS, rtol=PARTS)
    rows, columns = case.arrays["rays_d"].shape[:2]
    rays = published_rays(case.tensor("rays_c2w"), rows, columns, RAYS_FOCAL)
    for name, values in zip(("o", "d"), rays, strict=True):
        case.compare(f"rays_{name}", values, atol=PARTS)
