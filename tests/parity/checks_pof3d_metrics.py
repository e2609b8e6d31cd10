"""PoF3D's metrics on given features, and its inverse renderer, against their golden cases."""

from __future__ import annotations

from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.metrics.frechet import Moments, frechet_distance
from monoform.metrics.inception_score import inception_score
from monoform.metrics.kernel_distance import kernel_distance_of
from monoform.metrics.precision_recall import precision_recall


@check("pof3d", "metrics")
def metrics(case: Case) -> None:
    config = case.config
    real, generated = case.array("real"), case.array("gen")
    divisor = config.one_of("fid_covariance", "n", "n-1")
    moments = Moments(real.shape[1]), Moments(generated.shape[1])
    for found, features in zip(moments, (real, generated), strict=True):
        for start in range(0, len(features), 48):  # in batches that do not divide them evenly
            found.add(features[start : start + 48])
    case.compare("fid", frechet_distance(*moments, divisor))
    subsets = case.array("kid_real_index"), case.array("kid_gen_index")
    for indices in subsets:
        assert indices.shape == (config["kid"]["subsets"], config["kid"]["size"]), "config.kid is not what is stored"
    pairs = zip(*subsets, strict=True)
    case.compare("kid_subsets", kernel_distance_of(real, generated, pairs, degree=config["kid"]["degree"]))
    numbers = config.one_of("precision", "float16", "float32")
    found = precision_recall(real, generated, neighbors=config["neighbours"], numbers=numbers)
    for name, share in zip(("precision", "recall"), found, strict=True):
        case.compare(name, share)
    score = inception_score(case.array("probs"), splits=config["is_splits"])
    for name, value in zip(("is_mean", "is_std"), score, strict=True):
        case.compare(name, value)
