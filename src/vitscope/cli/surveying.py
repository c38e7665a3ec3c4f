"""The commands over data sets. Imports nothing heavy."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from vitscope.cli.words import Size, app
from vitscope.errors import ArgumentError


@app.command
def survey(
    *source: str,
    model: Annotated[list[str] | None, Parameter(name=["--model", "-m"])] = None,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "vitscope-survey",
    measure: Annotated[str, Parameter(name=["--measure", "--measures"])] = (
        "distance,distance_rescaled,entropy,prefix_mass,rollout,heatmaps"
    ),
    sample: int | None = None,
    maps: bool = False,
    shard: str | None = None,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    actors: int | None = None,
    gpus: float | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    shard_size: int = 512,
    checkpoint: str | None = None,
    random_weights: bool = False,
    image_size: Size = None,
    fit: Literal["crop", "whole"] = "crop",
    device: str = "auto",
    json: bool = False,
) -> int:
    """Measure every image of a data set, into Parquet tables; run it again to go on where it was stopped.

    Numbers depend neither on the batch size nor on the number of processes. Images that cannot be read
    are counted and named in the run, and enter no mean.

    Parameters
    ----------
    source
        A folder (class = sub-folder), glob, list (.txt, .csv, .parquet), WebDataset shards (.tar, also
        shard-{000..011}.tar), a Hugging Face data set (its folder on disk, or datasets:org/name:split).
    model
        Name of a model, as for look; give it again for another one, and each gets a run of its own below
        the output folder. None: the bundled model, vitscope-tiny.
    output
        Folder of the run.
    measure
        Comma-separated: distance, distance_rescaled, entropy, prefix_mass, moments, rollout, heatmaps,
        head_similarity, cka.
    sample
        So many of the images, always the same ones of a source; a smaller sample is part of a larger.
    maps
        Keep the maps of every image too, not only their means.
    shard
        i/n: compute the i-th of n parts, in a job array; all parts share the output folder.
    engine
        local: this machine; ray: Ray Data, on the cluster at --address, or one started here.
    address
        Of a running Ray cluster: auto, or ray://host:10001.
    actors
        With ray: how many hold the model side by side. Default: as many as the cluster holds.
    gpus
        With ray: GPUs of each actor, as 1, or 0.25 for four that share one. Default: none.
    batch_size
        Images a forward pass. Default: what fits.
    workers
        Processes that decode beside the model. Default: by the number of cores.
    shard_size
        Images that are written together, and computed again at most after a crash.
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
    json
        Print what was done as JSON on standard output.
    """
    if not source:
        raise ArgumentError("no images were named; expected a folder, glob, list, tar files or a data set")
    if checkpoint is not None and model is not None and len(model) > 1:
        raise ArgumentError(f"found one checkpoint for {len(model)} models; expected a single --model with it")
    from vitscope.cli.arguments import parse_size
    from vitscope.cli.look import ModelOptions
    from vitscope.cli.survey import SurveyOptions, parse_cluster, parse_part, run_survey

    models = [
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
    options = SurveyOptions(
        measures=tuple(part.strip() for part in measure.split(",") if part.strip()),
        sample=sample,
        maps=maps,
        batch_size=batch_size,
        workers=workers,
        shard_size=shard_size,
        part=parse_part(shard),
        cluster=parse_cluster(engine, address, actors, gpus),
    )
    return run_survey(source, models, Path(output), options, as_json=json)


@app.command
def compare(
    *run: str,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "vitscope-compare",
    formats: Annotated[str, Parameter(name="--format")] = "png",
    replicates: int = 1000,
    force: bool = False,
    json: bool = False,
) -> int:
    """Set surveys side by side: figures with confidence intervals, tables, and one page of all of them.

    From the runs' tables alone: no model is loaded. The output folder gets index.html, which opens in any
    browser; summary.csv, a row a model, measure, layer and head; classes.csv, where images have labels;
    summary.json; and every figure.

    Parameters
    ----------
    run
        Folders of runs, as vitscope survey wrote them; one that holds several stands for all of them. One
        run alone is summarized. Of an unfinished one, what is there.
    output
        Folder for the results, made where it does not exist.
    formats
        Comma-separated: png, pdf, svg.
    replicates
        Bootstrap replicates for the confidence intervals, drawn over images.
    force
        Replace results of an earlier comparison.
    json
        Print what was done as JSON on standard output.
    """
    from vitscope.cli.compare import CompareOptions, run_compare

    options = CompareOptions(
        folder=Path(output),
        formats=tuple(formats.replace(" ", "").lower().split(",")),
        replicates=replicates,
        force=force,
        as_json=json,
    )
    return run_compare(run, options)
