"""Small transformers whose attention is spelled in every way that models in the wild spell it."""

import torch
from torch import nn
from torch.nn import functional as F


def fused(q, k, v, scale):
    return F.scaled_dot_product_attention(q, k, v, scale=scale)


def fused_masked(q, k, v, scale):
    mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(3)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)


def fused_causal(q, k, v, scale):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)


def fused_grouped(q, k, v, scale):
    return F.scaled_dot_product_attention(q, k[:, :1], v[:, :1], scale=scale, enable_gqa=True)


def operators(q, k, v, scale):
    weights = ((q @ k.transpose(-2, -1)) * scale).softmax(dim=-1)
    return F.dropout(weights, 0.0, training=False) @ v


def scaled_queries(q, k, v, scale):
    return torch.matmul(torch.softmax(torch.matmul(q * scale, k.mT), -1), v)


def divided_in_place(q, k, v, scale):
    logits = q @ k.transpose(-2, -1)
    logits /= 1 / scale
    return F.softmax(logits, dim=-1).to(v.dtype) @ v


def biased(q, k, v, scale):
    places = torch.arange(k.shape[-2], dtype=q.dtype)
    logits = (q @ k.transpose(-2, -1) + -0.1 * (places[:, None] - places).abs()) * scale
    return logits.softmax(-1) @ v


def masked(q, k, v, scale):
    logits = (q @ k.transpose(-2, -1)).mul(scale)
    hidden = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(5)
    return logits.masked_fill(hidden, float("-inf")).softmax(-1) @ v


def head_temperatures(q, k, v, scale):
    temperatures = torch.linspace(0.5, 3, q.shape[1], dtype=q.dtype).view(-1, 1, 1)
    return ((F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT) * temperatures).softmax(-1) @ v


def einsum(q, k, v, scale):
    weights = (torch.einsum("bhid,bhjd->bhij", q, k) * scale).softmax(dim=-1)
    return torch.einsum("b h i j, b h j d -> b i h d", weights, v).transpose(1, 2)


def folded(q, k, v, scale):
    q, k, v = (t.flatten(0, 1) for t in (q, k, v))
    weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)) * scale, dim=-1)
    return torch.bmm(weights, v).unflatten(0, (-1, HEADS))


def softmax_in_float32(q, k, v, scale):
    weights = F.softmax(torch.matmul(q, k.transpose(2, 3)) * scale, dim=-1, dtype=torch.float32).to(q.dtype)
    return torch.matmul(F.dropout(weights, p=0.0, training=False), v)


def capped(q, k, v, scale):
    """Logits that cannot be followed: only the weights themselves are known."""
    return (5 * torch.tanh(q @ k.transpose(-2, -1) * scale / 5)).softmax(-1) @ v


def gated(q, k, v, scale):
    """Weights changed after the softmax."""
    weights = (q @ k.transpose(-2, -1) * scale).softmax(-1)
    weights = weights * torch.linspace(1, 2, k.shape[-2], dtype=q.dtype)
    return (weights / weights.sum(-1, keepdim=True)) @ v


HEADS = 3
SPELLINGS = [
    fused, fused_masked, fused_causal, fused_grouped, operators, scaled_queries, divided_in_place, biased, masked,
    head_temperatures, einsum, folded, capped, gated,
]  # fmt: skip


class Attention(nn.Module):
    def __init__(self, spelling, width=21, sharpness=4.0):
        super().__init__()
        self.spelling, self.sharpness = spelling, sharpness
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.true_weights = None

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)  # (images, heads, tokens, dim)
        out = self.spelling(q, k, v, self.sharpness * q.shape[-1] ** -0.5)
        return self.out(out.transpose(1, 2).flatten(2))


class ToyViT(nn.Module):
    """Patches of 4 × 4, a class token, `depth` layers, a linear head on the class token."""

    def __init__(self, spelling=fused, width=21, depth=2, permute_before=None):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 4, 4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.layers = nn.ModuleList(Attention(spelling, width) for _ in range(depth))
        self.head = nn.Linear(width, 11)
        self.permute_before = permute_before

    def forward(self, images):
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        for index, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            if index == self.permute_before:
                order = torch.arange(x.shape[1])
                order[[2, 5]] = order[[5, 2]]
                x = x[:, order]
            x = x + layer(norm(x))
        return self.head(x[:, 0])
