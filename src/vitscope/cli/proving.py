"""The commands that say what can be looked through, and prove it."""

from vitscope.cli.words import Model, Size, app


@app.command
def models(pattern: str | None = None, *, json: bool = False) -> int:
    """List the names of models with weights that load, by library.

    One name a line, as --model takes it. Of the libraries that are installed; transformers has no list of its
    own: take transformers:org/repo, or hf-hub:org/repo, with any repository of the hub.

    Parameters
    ----------
    pattern
        With * and ?; without these, any name that holds it. None: all.
    json
        Print an object of lists by library.
    """
    from vitscope.cli.models import run_models

    return run_models(pattern, as_json=json)


@app.command
def check(
    model: Model = None,
    *,
    checkpoint: str | None = None,
    random_weights: bool = False,
    image_size: Size = None,
    device: str = "auto",
    picture: str | None = None,
    force: bool = False,
    json: bool = False,
) -> int:
    """Prove that what vitscope shows of a model is what the model computed.

    Traces where every token stands, then verifies every query row of every layer on the bundled
    photograph: for each attention its kind, heads, tokens, windows, the step from token to token, the
    verification error, and whether the layout was read or traced. Exit status 1 if anything was refused.

    Parameters
    ----------
    model
        Name of a model, as for look. None: the bundled model.
    checkpoint
        File of weights to use instead of the model's own.
    random_weights
        Do not load pretrained weights, but random ones, the same each time.
    image_size
        The input's side, or HEIGHTxWIDTH, in pixels.
    device
        auto, cpu, cuda, cuda:1 ….
    picture
        Also draw the traced layout into this file (png, pdf, svg).
    force
        Replace the picture, if it exists.
    json
        Print the result as JSON on standard output.
    """
    from vitscope.cli.arguments import parse_size
    from vitscope.cli.check import run_check
    from vitscope.cli.look import ModelOptions

    options = ModelOptions(
        name=model,
        checkpoint=checkpoint,
        pretrained=not random_weights,
        image_size=parse_size(image_size),
        device=device,
    )
    return run_check(options, as_json=json, picture=picture, force=force)
