"""The model that travels inside the package, so that everything can be tried with no network.

It is for trying and for tests; its card, assets/vitscope-tiny.md, says how it was trained and its terms.
"""

from importlib.resources import as_file, files

from vitscope.images.transform import Transform
from vitscope.models.checkpoint import load_checkpoint
from vitscope.models.describe import describe
from vitscope.models.loaded import LoadedModel
from vitscope.models.request import Request
from vitscope.models.timm import plain_vit, version

NAME = "vitscope-tiny"
TERMS = (
    "trained on ImageNet photographs, which are for non-commercial research; the weights are given for trying "
    "and testing vitscope and are not under the code's licence"
)

# Training cut its 64 × 64 photographs at random; the card's measurements show them whole, which the short
# side at 64 does for a square. Bicubic keeps larger photographs as sharp as those small ones are.
TRANSFORM = Transform(
    size=(64, 64),
    resize=64,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    interpolation="bicubic",
)


def load(request: Request) -> LoadedModel:
    """The bundled ViT: 16 × 16 patches of 4 px and one class token; it takes any input of whole patches."""
    model = plain_vit(
        img_size=64,
        patch_size=4,
        embed_dim=128,
        depth=6,
        num_heads=4,
        num_classes=200,
        epsilon=1e-5,
        dynamic_img_size=True,
    )
    provenance = {"library": "timm", "library_version": version(), "weights": "random"}
    if request.pretrained:
        with as_file(files("vitscope") / "assets" / f"{NAME}.safetensors") as path:
            load_checkpoint(model, path)
        provenance |= {"weights": f"bundled with vitscope ({NAME}.safetensors)", "terms": TERMS}
    described = describe(model)
    return LoadedModel(
        name=NAME,
        model=model,
        forward=described.forward,
        hints=described.hints,
        transform=TRANSFORM,
        provenance=provenance,
    )
