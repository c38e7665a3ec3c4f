"""`vitscope look --explain`: how the pictures would be computed, and why; no picture is shown to the model."""

from collections.abc import Sequence

from vitscope.cli.look import ModelOptions, Outcome, picture_of, sources_of
from vitscope.cli.words import DONE, FAILED, SOME_FAILED
from vitscope.errors import ArgumentError, VitscopeError
from vitscope.showing import show


def run_explain(images: Sequence[str], model: ModelOptions, *, as_json: bool) -> int:
    """Print the plan of each input size that the pictures come to; the command's exit status."""
    if as_json:
        raise ArgumentError("found --json with --explain, which prints a plan for people; leave out one of them")
    scope, outcome = model.load(), Outcome()
    names: dict[tuple[int, int], list[str]] = {}
    for name, source in sources_of(images):
        try:
            tensor, _ = show(picture_of(source), scope.transform)
        except VitscopeError as error:
            outcome.failed(name, error)
            continue
        names.setdefault((tensor.shape[-2], tensor.shape[-1]), []).append(name)
    done = 0
    for (height, width), pictures in names.items():
        try:
            plan = str(scope.plan((height, width)))
        except VitscopeError as error:
            for name in pictures:
                outcome.failed(name, error)
            continue
        done += 1
        listed = pictures[0] if len(pictures) == 1 else f"{pictures[0]} and {len(pictures) - 1} more"
        print(f"{listed}, one at a time, as {height} × {width} px in {scope.name}")
        print("\n".join(f"  {line}" for line in plan.splitlines()))
    if not outcome.failures:
        return DONE
    return SOME_FAILED if done else FAILED
