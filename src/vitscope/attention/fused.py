"""Attention from the arguments of PyTorch's own attention functions."""

import inspect
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from vitscope.attention.event import AttentionEvent, OutputProjection
from vitscope.errors import CaptureError

_MULTI_HEAD = inspect.signature(inspect.unwrap(F.multi_head_attention_forward))


class _Given(NamedTuple):
    """What `scaled_dot_product_attention` takes, as it is documented."""

    query: Tensor
    key: Tensor
    value: Tensor
    attn_mask: Tensor | None = None
    dropout_p: float = 0.0
    is_causal: bool = False
    scale: float | None = None
    enable_gqa: bool = False

    def own_rows(self, rows: Tensor, entries: slice) -> Tensor:
        """What the function gives for these query rows, of these entries of the first axis."""
        query, mask = self.query, self.attn_mask
        key, value = _entries(self.key, entries, query), _entries(self.value, entries, query)
        few = None if mask is None else _entries(mask, entries, query)
        few = few if few is None or few.dim() < 2 or few.shape[-2] == 1 else few[..., rows, :]
        return F.scaled_dot_product_attention(
            query[entries][..., rows, :], key, value, few, scale=self.scale, enable_gqa=self.enable_gqa
        )


def scaled_dot_product(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AttentionEvent:
    """The event of a call of `scaled_dot_product_attention`."""
    try:
        given = _Given(*args, **kwargs)
    except TypeError as error:
        raise CaptureError(
            f"{name}: scaled_dot_product_attention was not called as it is documented ({error}); update vitscope if "
            "PyTorch is newer"
        ) from None
    if given.dropout_p > 0:
        raise _dropout(name)
    queries, keys, values = given.query, given.key, given.value
    if torch.is_autocast_enabled(queries.device.type):
        queries, keys, values = _autocast(queries), _autocast(keys), _autocast(values)
    if given.enable_gqa:
        heads = queries.shape[-3]
        keys, values = (each.repeat_interleave(heads // each.shape[-3], dim=-3) for each in (keys, values))
    mask = given.attn_mask
    bias = None if mask is None else additive(mask, queries.dtype)
    if given.is_causal:
        bias = _causal(queries.shape[-2], keys.shape[-2], queries)
    return AttentionEvent(
        name,
        values,
        queries,
        keys,
        scale=1 / math.sqrt(queries.shape[-1]) if given.scale is None else float(given.scale),
        bias=expand_bias(bias, (*queries.shape[:-1], keys.shape[-2])),
        own_rows=None if given.is_causal else given.own_rows,
        # The first of three axes is the one that is grouped.
        sliceable=not given.enable_gqa or queries.dim() > 3,
    )


def multi_head(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AttentionEvent:
    """The event of a call of `multi_head_attention_forward`: its projections, computed again.

    The function's tensors are sequence first, (tokens, images, features).
    """
    bound = _MULTI_HEAD.bind(*args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    unusual = [key for key in ("bias_k", "bias_v", "static_k", "static_v") if given[key] is not None]
    if unusual or given["add_zero_attn"]:
        raise CaptureError(
            f"{name}: multi_head_attention_forward with {', '.join(unusual) or 'add_zero_attn'} adds keys that "
            "stand nowhere in the picture; vitscope does not support it"
        )
    if given["training"] and given["dropout_p"] > 0:
        raise _dropout(name)
    heads: int = given["num_heads"]
    queries, keys, values = (_split_heads(tensor, heads) for tensor in _project(given))
    shape = (*queries.shape[:-1], keys.shape[-2])  # (images, heads, queries, keys)
    bias = expand_bias(_multi_head_mask(given, queries.dtype, shape), shape)
    return AttentionEvent(
        name,
        values,
        queries,
        keys,
        scale=1 / math.sqrt(queries.shape[-1]),
        bias=bias,
        projection=OutputProjection(given["out_proj_weight"], given["out_proj_bias"]),
        sequence_first=True,
    )


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as a term of the logits: True becomes 0, False becomes −∞; numbers stay."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -math.inf)


def expand_bias(bias: Tensor | None, shape: tuple[int, ...]) -> Tensor | None:
    """The bias seen at the logits' full shape, without copying it."""
    return None if bias is None else bias.expand(shape)


def _autocast(tensor: Tensor) -> Tensor:
    """The tensor in the precision that autocast, where it is on, gives it inside a fused attention."""
    if tensor.dtype in (torch.float32, torch.float16, torch.bfloat16):
        return tensor.to(torch.get_autocast_dtype(tensor.device.type))
    return tensor


def _entries(tensor: Tensor, entries: slice, query: Tensor) -> Tensor:
    """These entries of the first axis, where it is the query's and not one for all."""
    return tensor[entries] if tensor.dim() == query.dim() and tensor.shape[0] > 1 else tensor


def _causal(queries: int, keys: int, like: Tensor) -> Tensor:
    allowed = torch.ones(queries, keys, dtype=torch.bool, device=like.device).tril()
    return additive(allowed, like.dtype)


def _project(given: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    inputs: tuple[Tensor, Tensor, Tensor] = (given["query"], given["key"], given["value"])
    if given["use_separate_proj_weight"]:
        weights = (given["q_proj_weight"], given["k_proj_weight"], given["v_proj_weight"])
    else:
        weights = given["in_proj_weight"].chunk(3)
    packed = given["in_proj_bias"]
    biases = (None, None, None) if packed is None else packed.chunk(3)
    query, key, value = (F.linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True))
    return query, key, value


def _split_heads(projected: Tensor, heads: int) -> Tensor:
    """(tokens, images, features) → (images, heads, tokens, dim)."""
    if projected.dim() == 2:
        projected = projected[:, None]
    tokens, images, features = projected.shape
    return projected.view(tokens, images, heads, features // heads).permute(1, 2, 0, 3)


def _multi_head_mask(given: dict[str, Any], dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor | None:
    """Attention mask and key padding mask as one term of the logits (here True means hidden)."""
    images, heads, queries, keys = shape
    total: Tensor | None = None
    mask, padding = given["attn_mask"], given["key_padding_mask"]
    if mask is not None:
        mask = additive(~mask if mask.dtype == torch.bool else mask, dtype)
        total = mask.view(images, heads, queries, keys) if mask.dim() == 3 else mask
    if padding is not None:
        padding = additive(~padding if padding.dtype == torch.bool else padding, dtype)
        padding = padding.view(-1, 1, 1, keys)
        total = padding if total is None else total + padding
    return total


def _dropout(name: str) -> CaptureError:
    return CaptureError(f"{name}: attention drops weights at random; call model.eval() first")
