"""Attention from the arguments of PyTorch's own attention functions."""

import inspect
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vitscope.attention.event import AttentionEvent, OutputProjection
from vitscope.errors import CaptureError

_MULTI_HEAD = inspect.signature(inspect.unwrap(F.multi_head_attention_forward))


def scaled_dot_product(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AttentionEvent:
    """The event of a call of `scaled_dot_product_attention`."""

    def argument(position: int, keyword: str, default: Any) -> Any:
        return args[position] if len(args) > position else kwargs.get(keyword, default)

    queries, keys, values = (
        _autocast(argument(i, keyword, None)) for i, keyword in enumerate(("query", "key", "value"))
    )
    if argument(4, "dropout_p", 0.0) > 0:
        raise _dropout(name)
    if argument(7, "enable_gqa", False):
        keys, values = (
            tensor.repeat_interleave(queries.shape[-3] // tensor.shape[-3], dim=-3) for tensor in (keys, values)
        )
    mask: Tensor | None = argument(3, "attn_mask", None)
    bias = None if mask is None else additive(mask, queries.dtype)
    if argument(5, "is_causal", False):
        bias = _causal(queries.shape[-2], keys.shape[-2], queries)
    scale = argument(6, "scale", None)

    def own_rows(rows: Tensor, entries: slice) -> Tensor:
        query, key, value = (argument(i, keyword, None) for i, keyword in enumerate(("query", "key", "value")))
        key, value = _entries(key, entries, query), _entries(value, entries, query)
        few = None if mask is None else _entries(mask, entries, query)
        few = few if few is None or few.dim() < 2 or few.shape[-2] == 1 else few[..., rows, :]
        grouped = argument(7, "enable_gqa", False)
        return F.scaled_dot_product_attention(
            query[entries][..., rows, :], key, value, few, scale=scale, enable_gqa=grouped
        )

    return AttentionEvent(
        name,
        values,
        queries,
        keys,
        scale=1 / math.sqrt(queries.shape[-1]) if scale is None else float(scale),
        bias=expand_bias(bias, (*queries.shape[:-1], keys.shape[-2])),
        own_rows=None if argument(5, "is_causal", False) else own_rows,
        # The first of three axes is the one that is grouped.
        sliceable=queries.dim() > 3 or not argument(7, "enable_gqa", False),
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
    """The tensor in the precision that autocast would give it inside a fused attention."""
    kind = tensor.device.type
    if torch.is_autocast_enabled(kind) and tensor.dtype in (torch.float32, torch.float16, torch.bfloat16):
        return tensor.to(torch.get_autocast_dtype(kind))
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
