"""The words of the command line. Imports nothing heavy, so that --help answers at once."""

import os
import sys
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from vitscope.errors import ArgumentError, VitscopeError

DONE, FAILED, USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130

app = App(
    name="vitscope",
    help="See where a Vision Transformer looks: any PyTorch ViT, unmodified, with numbers you can cite.",
    version=lambda: __import__("importlib.metadata").metadata.version("vitscope"),
    default_parameter=Parameter(negative=()),
)

Model = Annotated[str | None, Parameter(name=["--model", "-m"])]
Size = Annotated[str | None, Parameter(name="--image-size")]


@app.command
def look(
    *images: str,
    model: Model = None,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "vitscope-out",
    checkpoint: str | None = None,
    random_weights: bool = False,
    image_size: Size = None,
    fit: Literal["crop", "whole"] = "crop",
    device: str = "auto",
    layer: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-1",
    query: str | None = None,
    mass: float = 0.6,
    fusion: Literal["mean", "max", "min"] = "mean",
    discard: float = 0.0,
    rescale: bool = False,
    unit: Literal["pixels", "patches", "diagonal", "unit_square"] = "pixels",
    smooth: bool = False,
    colour_map: Literal["viridis", "inferno", "cividis", "gray"] = "viridis",
    formats: Annotated[str, Parameter(name="--format")] = "png",
    force: bool = False,
    json: bool = False,
) -> int:
    """Show pictures to a model; write heatmaps, rollout and attention distance of each.

    Each picture gets a folder of its own in the output folder: heatmaps, rollout and distance as
    pictures, look.json (every setting), distance.csv and maps.safetensors.

    Parameters
    ----------
    images
        Files, folders, globs, URLs, or - for standard input. None: the bundled photograph.
    model
        A timm name (arch.tag), hf-hub:org/repo, local-dir:path, transformers:…, torchvision:…, open_clip:….
        None: the bundled small model, for trying vitscope only.
    output
        Folder for the results.
    checkpoint
        File of weights to use instead of the model's own (.safetensors, .pth).
    random_weights
        Do not load pretrained weights.
    image_size
        The input's side, or HEIGHTxWIDTH, in pixels.
    fit
        crop: the model's own evaluation crop; whole: the whole picture at its own aspect.
    device
        auto, cpu, cuda, cuda:1 ….
    layer
        Layer of the heatmaps: index from 0 (negative from the last) or name.
    query
        Token that looks: cls, reg1 …, mean, pool, or ROW,COLUMN of a patch. Default: the model's own readout.
    mass
        Share of a heatmap's mass that its mask holds.
    fusion
        How the rollout fuses heads.
    discard
        Share of each layer's lowest weights that the rollout discards.
    rescale
        Distance with rows rescaled to 1 over the patches.
    unit
        Unit of the distance.
    smooth
        Interpolate maps between patches.
    colour_map
        Colours of the maps.
    formats
        Comma-separated: png, pdf, svg.
    force
        Replace results of an earlier run.
    json
        Print what was done as JSON on standard output.
    """
    from vitscope.cli.look import LookCommand

    return LookCommand(
        model=model,
        output=output,
        checkpoint=checkpoint,
        pretrained=not random_weights,
        image_size=image_size,
        fit=fit,
        device=device,
        layer=layer,
        query=query,
        mass=mass,
        fusion=fusion,
        discard=discard,
        rescale=rescale,
        unit=unit,
        smooth=smooth,
        cmap=colour_map,
        formats=formats,
        force=force,
        as_json=json,
    ).run(images)


@app.command
def check(
    model: str | None = None,
    *,
    checkpoint: str | None = None,
    random_weights: bool = False,
    image_size: Size = None,
    device: str = "auto",
    json: bool = False,
) -> int:
    """Prove that what vitscope shows of a model is what the model computed.

    Traces where every token stands, then verifies every query row of every layer on the bundled
    photograph. Exit status 1 if anything was refused.

    Parameters
    ----------
    model
        Name of a model, as for look. None: the bundled model.
    checkpoint
        File of weights to use instead of the model's own.
    random_weights
        Do not load pretrained weights.
    image_size
        The input's side, or HEIGHTxWIDTH, in pixels.
    device
        auto, cpu, cuda, cuda:1 ….
    json
        Print the result as JSON on standard output.
    """
    from vitscope.cli.check import run_check

    return run_check(
        model,
        checkpoint=checkpoint,
        pretrained=not random_weights,
        image_size=image_size,
        device=device,
        as_json=json,
    )


def run(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    try:
        status = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _complain(str(error).strip() or "unknown arguments; see --help", USAGE)
    except ArgumentError as error:
        return _complain(str(error), USAGE)
    except VitscopeError as error:
        return _complain(str(error), FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of standard output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return status if isinstance(status, int) else DONE


def main() -> None:
    """The entry point of `vitscope`."""
    sys.exit(run())


def _complain(message: str, status: int) -> int:
    print(f"vitscope: {message}", file=sys.stderr)
    return status
