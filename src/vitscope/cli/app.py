"""The words of the command line. Imports nothing heavy, so that --help answers at once."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import CycloptsError, Parameter

from vitscope.cli import proving as proving  # its commands belong to the application
from vitscope.cli import surveying as surveying
from vitscope.cli.words import DONE, FAILED, INTERRUPTED, USAGE, Model, Size, app
from vitscope.errors import ArgumentError, VitscopeError

# Stands for "-", which cyclopts takes for an option; no argument of a process can hold a null character.
_STDIN = "\0-"


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
    query: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    mass: float = 0.6,
    fusion: Literal["mean", "max", "min"] = "mean",
    discard: float = 0.0,
    rescale: bool = False,
    unit: Literal["pixels", "patches", "diagonal", "unit_square"] = "pixels",
    smooth: bool = False,
    colour_map: Literal["viridis", "inferno", "cividis", "gray"] = "viridis",
    formats: Annotated[str, Parameter(name="--format")] = "png",
    no_page: bool = False,
    page_layers: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    explain: bool = False,
    force: bool = False,
    json: bool = False,
) -> int:
    """Show pictures to a model; write heatmaps, rollout and attention distance of each, and a page to explore.

    Each picture gets a folder of its own in the output folder: page.html, which opens in any browser;
    heatmaps, rollout and distance as pictures; look.json (every setting), distance.csv and maps.safetensors.

    Parameters
    ----------
    images
        Files, folders, globs, URLs, or - for standard input. None: the bundled photograph.
    model
        A timm name (arch.tag), hf-hub:org/repo, local-dir:path, transformers:…, torchvision:…, open_clip:….
        None: the bundled small model, for trying vitscope only.
    output
        Folder for the results, made where it does not exist.
    checkpoint
        File of weights to use instead of the model's own (.safetensors, .pth).
    random_weights
        Do not load pretrained weights, but random ones, the same each time.
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
    no_page
        Do not write page.html.
    page_layers
        Layers whose attention page.html carries, comma-separated: indexes or names. Default: all that fit into 40 MB.
    explain
        Print how the pictures would be computed, and why; write nothing.
    force
        Replace results of an earlier run.
    json
        Print what was done as JSON on standard output.
    """
    from vitscope.cli.arguments import parse_formats, parse_layer, parse_layers, parse_query, parse_size
    from vitscope.cli.explain import run_explain
    from vitscope.cli.look import ModelOptions, Output, run_look
    from vitscope.render.files import Choices

    options = ModelOptions(
        name=model,
        checkpoint=checkpoint,
        pretrained=not random_weights,
        image_size=parse_size(image_size),
        device=device,
        fit=fit,
    )
    given = ["-" if image == _STDIN else image for image in images]
    if explain:
        return run_explain(given, options, as_json=json)
    if output == _STDIN:
        raise ArgumentError("results go to a folder, not to standard output; give one by -o, or --json for a report")
    choices = Choices(
        layer=parse_layer(layer),
        query=parse_query(query),
        mass=mass,
        fusion=fusion,
        discard=discard,
        rescale=rescale,
        unit=unit,
        smooth=smooth,
        colour_map=colour_map,
        formats=parse_formats(formats),
    )
    if no_page and page_layers is not None:
        raise ArgumentError("found --page-layers with --no-page; expected one of them: without a page it has no layers")
    layers = None if no_page else parse_layers(page_layers)
    return run_look(given, options, choices, Output(folder=Path(output), force=force, as_json=json), layers)


@app.command
def page(
    *images: str,
    model: Annotated[list[str] | None, Parameter(name=["--model", "-m"])] = None,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "vitscope-page.html",
    layers: Annotated[str | None, Parameter(name=["--layers", "--page-layers"], allow_leading_hyphen=True)] = None,
    limit_megabytes: float = 40.0,
    title: str | None = None,
    checkpoint: str | None = None,
    random_weights: bool = False,
    image_size: Size = None,
    fit: Literal["crop", "whole"] = "crop",
    device: str = "auto",
    force: bool = False,
    json: bool = False,
) -> int:
    """Write one page to explore where one or more models look in pictures: a file that opens in any browser.

    It needs no network and no server. Several pictures stand in a strip, several models side by side.

    Parameters
    ----------
    images
        Files, folders, globs, URLs, or - for standard input. None: the bundled photograph.
    model
        Name of a model, as for look; give it again for another one. None: the bundled model, vitscope-tiny.
    output
        The page's file.
    layers
        Layers whose attention the page carries, comma-separated: indexes or names. Default: all that fit.
    limit_megabytes
        Size of the file past which layers are left out.
    title
        The page's title.
    checkpoint
        File of weights to use instead of the model's own (.safetensors, .pth); for a single model.
    random_weights
        Do not load pretrained weights, but random ones, the same each time.
    image_size
        The input's side, or HEIGHTxWIDTH, in pixels.
    fit
        crop: the model's own evaluation crop; whole: the whole picture at its own aspect.
    device
        auto, cpu, cuda, cuda:1 ….
    force
        Replace an earlier page.
    json
        Print what was done as JSON on standard output.
    """
    from vitscope.cli.arguments import parse_layers, parse_size
    from vitscope.cli.look import ModelOptions
    from vitscope.cli.page import PageOptions, run_page

    if checkpoint is not None and model is not None and len(model) > 1:
        raise ArgumentError(f"found one checkpoint for {len(model)} models; expected a single --model with it")
    options = [
        ModelOptions(
            name=name,
            checkpoint=checkpoint,
            pretrained=not random_weights,
            image_size=parse_size(image_size),
            device=device,
            fit=fit,
        )
        for name in model or [None]
    ]
    given = ["-" if image == _STDIN else image for image in images]
    chosen = PageOptions(
        path=Path(output),
        layers=parse_layers(layers) or None,
        limit_bytes=round(limit_megabytes * 1e6),
        title=title,
        force=force,
        as_json=json,
    )
    return run_page(given, options, chosen)


def run(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status. What vitscope did not foresee is raised as it is."""
    given = sys.argv[1:] if arguments is None else arguments
    tokens = [_STDIN if argument == "-" else argument for argument in given]
    try:
        status = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a failure still has an answer
    except CycloptsError as error:
        return _complain(str(error).strip() or "unknown arguments; see --help", USAGE)
    except ArgumentError as error:
        return _complain(str(error), USAGE)
    except VitscopeError as error:
        return _complain(str(error), FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of standard output has gone; the interpreter flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    return status if isinstance(status, int) else DONE


def main() -> None:
    """The entry point of `vitscope`."""
    if isinstance(sys.stdout, TextIOWrapper):  # a name that the terminal cannot show is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run())


def _complain(message: str, status: int) -> int:
    print(f"vitscope: {message.replace(_STDIN, '-')}", file=sys.stderr)
    return status
