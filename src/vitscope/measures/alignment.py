"""Linear centred kernel alignment (CKA): how alike two layers represent the same images.

Of n images with features X and Y, K = X·Xᵀ and L = Y·Yᵀ; K̃ and L̃ are these with a diagonal of zeros, and
HSIC₁(K, L) = [tr(K̃·L̃) + 1ᵀK̃1 · 1ᵀL̃1 / ((n − 1)(n − 2)) − 2 / (n − 2) · 1ᵀK̃L̃1] / (n(n − 3)), the unbiased estimate of
Song et al. 2012. CKA = Σ HSIC₁(K, L) / √(Σ HSIC₁(K, K) · Σ HSIC₁(L, L)), each sum over minibatches: Nguyen, Raghu &
Kornblith 2021 (arXiv 2010.15327, eqs. 1–4), as in Raghu et al. 2021 (arXiv 2108.08810). As each HSIC₁ is unbiased, the
result does not depend on the size of the minibatches, but for noise.

HSIC₁ is also ⟨K*, L*⟩ / (n(n − 3)), K* being K̃ centred so that its rows sum to 0 without its diagonal (Székely & Rizzo
2014, "Partial Distance Correlation", prop. 1 and eq. 2.6): off the diagonal, K*_ij = K_ij − r_i − r_j + s, where
r_i = Σ_{l≠i} K_il / (n − 2) and s = Σ_{k≠l} K_kl / ((n − 1)(n − 2)). Terms a_i + a_j drop out of it: they add
(n − 2)·a_i + A to row i's sum, where A = Σ a, so a_i + A / (n − 2) to r_i, and 2A / (n − 2) to s. Features less their
mean differ in such terms alone, (x_i − μ)·(x_j − μ) = x_i·x_j − x_i·μ − x_j·μ + μ·μ, so that they give the same HSIC₁,
and smaller numbers, of which less cancels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from vitscope.errors import ArgumentError, CaptureError
from vitscope.measures import dense
from vitscope.measures.cosine import cosine
from vitscope.measures.needs import Needs
from vitscope.measures.result import Measured, measured
from vitscope.measures.seen import Seen

LEAST_IMAGES = 4  # images that HSIC₁ is defined for


@dataclass(frozen=True)
class LinearCKA:
    """Linear CKA between the outputs of the layers' blocks, over minibatches of `minibatch` images each.

    The features of an image are all of a block's output, tokens and features flattened. States of minibatches add
    up: `finish` takes their sum. Layers may differ in width.
    """

    minibatch: int = 32  # images that are compared with one another; at least 4

    convention = (
        "linear CKA between the outputs of the layers' blocks, tokens and features flattened, by the unbiased "
        "minibatch estimate"
    )
    needs = Needs(representations=True)

    def __post_init__(self) -> None:
        if self.minibatch < LEAST_IMAGES:
            raise ArgumentError(f"a minibatch needs at least {LEAST_IMAGES} images; found {self.minibatch}")

    def features(self, seen: Seen) -> tuple[Float[Tensor, "images features"], ...]:
        """Of each layer; CaptureError if the outputs of blocks were not kept."""
        if not seen.representations:
            raise CaptureError(
                "the outputs of the layers' blocks were not kept, as no measure named beforehand needs them; name "
                "LinearCKA among the measures of the pass (a look keeps none)"
            )
        return seen.representations

    def state(self, features: Sequence[Tensor]) -> dict[str, np.ndarray]:
        """Of one whole minibatch, each layer's (images, features): HSIC₁ of every pair of layers, and the count 1.

        {"sum": (layers, layers), "count": ()}, float64; zeros where there are fewer than 4 images. ArgumentError
        where layers differ in their images.
        """
        counts = {len(layer) for layer in features}
        if len(counts) != 1:
            raise ArgumentError(f"every layer must have the same images; found {sorted(counts)} of them")
        (images,) = counts
        if images < LEAST_IMAGES:
            return {"sum": np.zeros((len(features), len(features))), "count": np.zeros(())}
        grams = np.stack([_centred_gram(layer) for layer in features]).reshape(len(features), -1)
        return {"sum": grams @ grams.T / (images * (images - 3)), "count": np.ones(())}

    def finish(self, state: Mapping[str, np.ndarray]) -> Float[Measured, "layers layers"]:
        """CKA of every two layers; NaN for layers that are the same for all images, or where nothing was added."""
        return measured(cosine(state["sum"]), self.convention)


def _centred_gram(features: Float[Tensor, "images features"]) -> Float[np.ndarray, "images images"]:
    """K* of the module's docstring, in float64."""
    if features.device.type == "mps":  # which has no float64
        features = features.cpu()
    features = features.double()
    features = features - features.mean(0)
    gram = (features @ features.T).cpu().numpy()
    images = len(gram)
    np.fill_diagonal(gram, 0)
    rows = gram.sum(1) / (images - 2)
    centred = gram - rows[:, None] - rows + gram.sum() / ((images - 1) * (images - 2))
    np.fill_diagonal(centred, 0)
    return centred


def linear_cka(x: Any, y: Any) -> float:
    """Linear CKA of features x (images, features) and y (images, other features), all of them one minibatch.

    From the unbiased HSIC₁ as it is written in the module's docstring, not the biased HSIC₀ of Kornblith et al. 2019:
    it may be a little below 0. NaN where a side is the same for all images.
    """
    grams = [_gram(side) for side in (x, y)]
    if len(grams[0]) != len(grams[1]):
        raise ArgumentError(f"both must be of the same images; found {len(grams[0])} and {len(grams[1])}")
    own = _hsic(grams[0], grams[0]) * _hsic(grams[1], grams[1])
    return _hsic(*grams) / math.sqrt(own) if own > 0 else math.nan


def _gram(features: Any) -> Float[np.ndarray, "images images"]:
    """K̃: products of every two images' features, less their mean; zeros on the diagonal."""
    try:
        array = dense.to_array(features).astype(np.float64)
    except ArgumentError:
        raise ArgumentError("features must be floating point numbers") from None
    if array.ndim != 2 or len(array) < LEAST_IMAGES:
        raise ArgumentError(
            f"features must be (images, features) of at least {LEAST_IMAGES} images; found {array.shape}"
        )
    array = array - array.mean(0)
    gram = array @ array.T
    np.fill_diagonal(gram, 0)
    return gram


def _hsic(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    """HSIC₁ of two Gram matrices with zeros on the diagonal (Song et al. 2012, eq. 5)."""
    n = len(k)
    traced = float((k * l).sum()) + float(k.sum() * l.sum()) / ((n - 1) * (n - 2))
    return (traced - 2 / (n - 2) * float(k.sum(0) @ l.sum(1))) / (n * (n - 3))
