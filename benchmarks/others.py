"""Other tools that hand out attention, each as a function that builds a function without arguments.

All see the same weights as the plain model: a second module whose tensors are that model's own.
"""

import formulas


def attention_by_hooks(model, size):
    """A function of images: the softmax of every layer, kept by hooks; fused attention is off."""
    unfused = _unfused(model, size)

    def stored(images):
        import torch

        kept = []
        parts = [block.attn.attn_drop for block in unfused.blocks]
        hooks = [part.register_forward_hook(lambda _, __, output: kept.append(output)) for part in parts]
        try:
            with torch.no_grad():
                unfused(images)
        finally:
            for hook in hooks:
                hook.remove()
        return kept

    return stored


def last_attention_by_hook(model, size):
    """The same of the last layer alone; fused attention is off in that one only."""
    unfused = _unfused(model, size)
    for block in unfused.blocks[:-1]:
        block.attn.fused_attn = True

    def stored(images):
        import torch

        kept = []
        part = unfused.blocks[-1].attn.attn_drop
        hook = part.register_forward_hook(lambda _, __, output: kept.append(output))
        try:
            with torch.no_grad():
                unfused(images)
        finally:
            hook.remove()
        return kept

    return stored


def timm_extract(model, size):
    """timm's AttentionExtract as it is by default (a traced graph), on a model with fused attention off."""
    from timm.utils.attention_extract import AttentionExtract

    extract = AttentionExtract(_unfused(model, size))

    def stored(images):
        import torch

        with torch.no_grad():
            return list(extract(images).values())

    return stored


def fast_vit_rollout(model, size, images):
    """fast-vit-rollout with the mean over heads and nothing discarded, on a model with fused attention off."""
    from fast_vit_rollout import ViTAttentionRollout

    explainer = ViTAttentionRollout(_unfused(model, size), head_fusion="mean", discard_ratio=0.0)

    def run():
        matrix = explainer(images)  # (images, tokens, tokens)
        explainer.attentions = []  # which it would hold until the next call
        return {"rollout": matrix[:, 0, 1:].float().numpy()}

    return run


def transformers_plain(model, size, images):
    """transformers' own model, its attention fused (sdpa)."""
    vit = _transformers_model(model, size, "sdpa")

    def run():
        import torch

        with torch.no_grad():
            return {"logits": vit(images).logits.float().cpu().numpy()}

    return run


def transformers_eager(wanted):
    """transformers with attn_implementation="eager" and output_attentions=True, then the formulas in NumPy."""

    def build(model, size, images):
        vit = _transformers_model(model, size, "eager")

        def run():
            import torch

            with torch.no_grad():
                attentions = vit(images, output_attentions=True).attentions
            stored = [layer.float().cpu().numpy() for layer in attentions]
            return formulas.in_numpy(stored, size, wanted)

        return run

    return build


def _unfused(model, size):
    """A second module with the same tensors and fused attention off."""
    import timm
    import torch

    with torch.device("meta"):
        second = timm.create_model(size.model, img_size=size.side, patch_size=size.patch, depth=size.depth).eval()
    second.load_state_dict(model.state_dict(), assign=True)
    for block in second.blocks:
        block.attn.fused_attn = False
    return second


def _transformers_model(model, size, attention):
    """transformers' ViT of the same size with the same tensors."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    block = model.blocks[0]
    config = ViTConfig(
        hidden_size=model.embed_dim,
        num_hidden_layers=size.depth,
        num_attention_heads=block.attn.num_heads,
        intermediate_size=block.mlp.fc1.out_features,
        layer_norm_eps=model.norm.eps,
        image_size=size.side,
        patch_size=size.patch,
        num_labels=model.num_classes,
        attn_implementation=attention,
    )
    with torch.device("meta"):
        vit = ViTForImageClassification(config).eval()
    vit.load_state_dict(_renamed(model.state_dict()), assign=True)
    return vit


def _renamed(weights):
    """timm's tensors under transformers' names, the packed projection split."""
    names = {
        "cls_token": "vit.embeddings.cls_token",
        "pos_embed": "vit.embeddings.position_embeddings",
        "patch_embed.proj": "vit.embeddings.patch_embeddings.projection",
        "norm": "vit.layernorm",
        "head": "classifier",
    }
    parts = {"norm1": "layernorm_before", "norm2": "layernorm_after", "attn.proj": "attention.o_proj"}
    renamed = {}
    for name, tensor in weights.items():
        owner, _, kind = name.rpartition(".") if "." in name else (name, "", "")
        if not owner.startswith("blocks."):
            renamed[".".join(filter(None, (names[owner], kind)))] = tensor
            continue
        _, layer, part = owner.split(".", 2)
        if part == "attn.qkv":
            for letter, third in zip("qkv", tensor.chunk(3), strict=True):
                renamed[f"vit.layers.{layer}.attention.{letter}_proj.{kind}"] = third
        else:
            renamed[f"vit.layers.{layer}.{parts.get(part, part)}.{kind}"] = tensor
    return renamed
