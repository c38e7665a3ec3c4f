"""The models and inputs that are measured: ViTs of timm with random weights, named by their number of tokens."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """One model and its input."""

    title: str
    model: str  # timm's name, for width and heads
    patch: int
    side: int  # of the square input, in pixels
    batch: int = 1
    depth: int = 12
    rounds: int = 5  # of CPU time, where the caller asks for no number

    @property
    def grid(self):
        return self.side // self.patch

    @property
    def tokens(self):
        return self.grid**2 + 1  # with the class token


SIZES = {
    str(size.tokens): size
    for size in (
        Size("ViT-S/16 at 224 px", "vit_small_patch16_224", 16, 224, batch=8, rounds=9),
        Size("ViT-S/16 at 480 px", "vit_small_patch16_224", 16, 480, rounds=7),
        Size("ViT-S/8 at 480 px", "vit_small_patch8_224", 8, 480, rounds=5),
        Size("ViT-B/14 at 1,036 px", "vit_base_patch16_224", 14, 1036, rounds=2),
    )
}


def make_model(size, device="cpu", dtype="float32"):
    """The model: the same weights every time."""
    import timm
    import torch

    torch.manual_seed(0)
    model = timm.create_model(size.model, img_size=size.side, patch_size=size.patch, depth=size.depth)
    return model.eval().to(device, getattr(torch, dtype))


def make_images(size, device="cpu", dtype="float32"):
    """Preprocessed images of noise, (images, 3, side, side): the same every time."""
    import torch

    torch.manual_seed(1)
    return torch.randn(size.batch, 3, size.side, size.side).to(device, getattr(torch, dtype))


def attention_bytes(size, model):
    """What the attention of one layer takes: images × heads × tokens × tokens numbers."""
    weight = next(model.parameters())
    return size.batch * model.blocks[0].attn.num_heads * size.tokens**2 * weight.element_size()
