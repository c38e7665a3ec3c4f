"""One layer of one image in the fewest bytes from which its rows come back within the tolerance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from vitscope.attention.bias import Bias, DenseBias, RelativeBias
from vitscope.attention.call import AttentionCall
from vitscope.errors import NotFiniteError
from vitscope.viewer.decode import Decoded, Product, Weights
from vitscope.viewer.factors import Factors
from vitscope.viewer.fidelity import Fidelity, Sample, compare, device_of
from vitscope.viewer.windows import WindowsBias

TOLERANCE = 1e-3  # of the maximum of a row, and of a column
_MARGINS = (0.7, 0.25)  # of the tolerance, for what is judged by some rows alone


@dataclass(frozen=True, eq=False)
class Encoded:
    """A layer of one image as the page carries it, and how well."""

    decoded: Decoded
    fidelity: Fidelity
    mean_row: Float[Tensor, "heads keys"]  # of the patch queries' rows; over the lattice, of a layer in windows

    def nbytes(self, bias_shares: int) -> float:
        """Bytes that it takes, a bias counted for 1 / `bias_shares` of its own."""
        numbers = (self.fidelity.log_normaliser, self.mean_row, self.fidelity.row)
        operands = self.decoded.operands
        bias = self.decoded.bias.nbytes if isinstance(self.decoded, Product) and self.decoded.bias is not None else 0
        return sum(part.nbytes for part in (*operands, *numbers) if part is not None) + bias / bias_shares


@dataclass(frozen=True)
class _Candidate:
    nbytes: float
    make: Callable[[], Decoded | None]  # None where the numbers do not fit the form


def encode(call: AttentionCall, prefix: int, *, bias_shares: int = 1) -> Encoded:
    """The smallest form of a call of one image that meets the tolerance, over all its rows and columns.

    A bias is counted for 1 / `bias_shares` of its bytes, being written once for as many layers.
    Where none meets it, the most exact form is given, with the error found.
    """
    *candidates, last = _candidates(call, bias_shares)
    for candidate in candidates:
        decoded = candidate.make()
        fidelity = None if decoded is None else compare(call, decoded, prefix, tolerance=TOLERANCE)
        if decoded is not None and fidelity is not None:
            return Encoded(decoded, fidelity, fidelity.mean_row)
    return _as_it_is(call, last, prefix)


def estimated_bytes(call: AttentionCall, *, bias_shares: int = 1) -> float:
    """Bytes that one image's part of a call takes where 16 bits a number are enough, with what goes along with it."""
    row, column = (4 * call.heads * count for count in (call.key_count, call.query_count))  # a number a head and token
    least = _weights_bytes(call, 2) + row  # mean_row
    if call.queries is not None:  # with key_bias and mean_row, log_normaliser
        least = min(least, _product_bytes(call, 2, bias_shares) + 2 * row + column)
    return least + 4 * call.key_count  # the probe's row


def _as_it_is(call: AttentionCall, last: _Candidate, prefix: int) -> Encoded:
    decoded = last.make()
    assert decoded is not None
    fidelity = compare(call, decoded, prefix)
    if fidelity is None:
        raise NotFiniteError(f"layer {call.name!r}: NaN in its attention weights; check its mask and the input")
    return Encoded(decoded, fidelity, fidelity.mean_row)


def _candidates(call: AttentionCall, bias_shares: int) -> list[_Candidate]:
    """Every form, smallest first; but last the one that is always exact enough."""
    forms = list(_products(call, bias_shares))
    forms.append(_Candidate(_weights_bytes(call, 2), lambda: _weights(call, torch.float16)))
    exact = _Candidate(_weights_bytes(call, 4), lambda: _weights(call, torch.float32))
    return [*sorted(forms, key=lambda form: form.nbytes), exact]


def _products(call: AttentionCall, bias_shares: int) -> Iterator[_Candidate]:
    if call.queries is None or call.keys is None:
        return
    operands = centred(call)
    for made in _factored(call, operands):
        nbytes = made.queries.nbytes + made.keys.nbytes + _bias_bytes(call) / bias_shares
        yield _Candidate(nbytes, lambda made=made: made)
    yield _Candidate(_product_bytes(call, 4, bias_shares), lambda: single(operands))


def _factored(call: AttentionCall, operands: Product) -> Iterator[Product]:
    """Products of integers in as few columns as some rows of the call allow: with a narrow margin, with a wide one."""
    if not (operands.queries.isfinite().all() and operands.keys.isfinite().all()):
        return
    factors, sample = Factors.of(operands.queries, operands.keys), Sample(call)

    def make(factors: Factors, rank: int) -> Product:
        found = factors.integers(rank)
        return replace(operands, queries=found.queries, keys=found.keys, steps=found.steps)

    for margin in _MARGINS:
        rank = factors.smallest_rank(lambda rank, most=margin * TOLERANCE: sample.error(make(factors, rank)) <= most)
        if rank is not None:
            yield make(factors, rank)
    # As they are, their columns are more alike, and so the largest errors smaller.
    yield make(Factors(operands.queries, operands.keys), operands.queries.shape[-1])


def _product_bytes(call: AttentionCall, itemsize: int, bias_shares: int) -> float:
    assert call.queries is not None
    assert call.keys is not None
    return (call.queries[0].numel() + call.keys[0].numel()) * itemsize + _bias_bytes(call) / bias_shares


def _bias_bytes(call: AttentionCall) -> float:
    """Bytes of the call's bias in float32."""
    if call.bias is None:
        return 0
    held = call.bias.rows(slice(0, 1)).dtype.itemsize
    return call.bias.nbytes / held * 4


def _weights_bytes(call: AttentionCall, itemsize: int) -> int:
    return call.heads * call.query_count * call.key_count * itemsize


def centred(call: AttentionCall) -> Product:
    """Queries and keys of a call of one image less their means, in float64.

    The logits lose q · k̄, the same for all keys of a row, which softmax does not see:
    (q − q̄) · (k − k̄) + q̄ · (k − k̄) = q · k − q · k̄.
    """
    assert call.queries is not None
    assert call.keys is not None
    device = device_of(call)
    # (heads, tokens, dim) each
    queries, keys = call.queries[0].to(device, torch.float64) * call.scale, call.keys[0].to(device, torch.float64)
    mean_query, keys = queries.mean(1, keepdim=True), keys - keys.mean(1, keepdim=True)
    key_bias = (mean_query @ keys.mT)[:, 0].float()
    return Product(
        queries - mean_query, keys, None, key_bias, None if call.bias is None else _float32(call.bias, device)
    )


def single(operands: Product) -> Product | None:
    """The same with queries and keys in float32; None where they overflow it."""
    made = replace(operands, queries=operands.queries.float(), keys=operands.keys.float())
    return made if all(bool(part.isfinite().all()) for part in made.operands) else None


def _weights(call: AttentionCall, dtype: torch.dtype) -> Weights:
    """All weights of a call of one image; row by row, so that only `dtype` is held whole."""
    shape = (call.heads, call.query_count, call.key_count)
    out = torch.empty(shape, dtype=dtype, device=device_of(call))
    height = max(1, 2**19 // (call.heads * call.key_count))
    for first in range(0, call.query_count, height):
        rows = slice(first, first + height)
        out[:, rows] = call.weights(rows)[0].to(out.device)
    return Weights(out)


def _float32(bias: Bias, device: torch.device) -> Bias:
    if isinstance(bias, RelativeBias):
        parts = (_narrowed(part, device) for part in (bias.table, bias.from_prefix, bias.to_prefix))
        return RelativeBias(bias.grid, *parts)
    if isinstance(bias, WindowsBias):
        return replace(bias, term=_narrowed(bias.term, device), kinds=bias.kinds.to(device))
    assert isinstance(bias, DenseBias)
    return DenseBias(_narrowed(bias.term, device))


def _narrowed(term: Tensor, device: torch.device) -> Tensor:
    """In float32; a finite number stays finite, as the least number of float64 often stands for a mask."""
    term = term.to(device)
    if term.dtype != torch.float64:
        return term.float()
    limit = torch.finfo(torch.float32).max
    return torch.where(term.isinf(), term, term.clamp(-limit, limit)).float()
