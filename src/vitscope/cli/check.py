"""`vitscope check`: what every attention of a model is, how it was verified, and where its tokens stand."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vitscope.cli.look import ModelOptions
from vitscope.cli.words import DONE, FAILED
from vitscope.errors import ArgumentError
from vitscope.look import Look
from vitscope.samples import sample_photo
from vitscope.trace import Traced, TracedCall
from vitscope.writing import require_free_file, whole_file

_FORMATS = (".png", ".pdf", ".svg")
_NOT_OVER_PLACES = {
    "channel": "between channels, not over places",
    "self": "between queries that stand nowhere",
    "linear": "weights of no query: nothing to see",
    "cross": "queries that stand nowhere, over places",
    "class": "class attention, not read by the answer",
    "pool": "a pooling head, not read by the answer",
}


def run_check(model: ModelOptions, *, as_json: bool, picture: str | None = None, force: bool = False) -> int:
    """Verify every row of every layer; exit status 1 if one is refused. `picture`: also draw the layout there."""
    if picture is not None:
        _require_picture(Path(picture), force=force)
    scope = model.load()
    look = scope.look(sample_photo(), every_row=True)
    size = (look.shown[0].seen.height, look.shown[0].seen.width)
    traced = scope.trace(size)
    refused = [layer for layer in look.layers if layer.refusal is not None]
    report = {
        **look.settings,
        "input_size": list(size),
        "layout": asdict(look.layout) | {"description": look.layout.describe(), "found": _how(traced)},
        "readout": look.readout,
        "layers": [asdict(layer) for layer in look.layers],
        "attentions": _attentions(look, traced),
        "branching": traced.branching,
        "verified_rows": "all",
        "passed": not refused,
    }
    if picture is not None:
        from vitscope.render.layouts import layouts
        from vitscope.render.style import save

        with whole_file(Path(picture), force=force) as file:
            save(layouts(look), file, Path(picture).suffix.lower().removeprefix("."))
    print(json.dumps(report, indent=2) if as_json else _table(look, report))
    return FAILED if refused else DONE


def _require_picture(path: Path, *, force: bool) -> None:
    if path.suffix.lower() not in _FORMATS:
        raise ArgumentError(f"found --picture {str(path)!r}; expected a name that ends in {', '.join(_FORMATS)}")
    require_free_file(path, force=force)


def _how(traced: Traced) -> str:
    return "read, proven by the trace" if traced.plain else "traced"


def _attentions(look: Look, traced: Traced) -> list[dict[str, Any]]:
    """Every attention of the forward pass, in order."""
    layers, readings = iter(look.layers), iter(look.attention_seen.readings)
    rows: list[dict[str, Any]] = []
    for call in traced.calls:
        row: dict[str, Any] = {"layer": None, "name": call.name, "kind": call.kind, "heads": call.heads}
        row |= _places(call)
        if call.is_layer:
            layer = next(layers)
            row |= {"layer": layer.index, "error": layer.error, "refusal": layer.refusal}
        elif call.reads_out:
            reading = next(readings).call
            row |= {"error": reading.error, "refusal": reading.refusal, "windows": "the answer is read through it"}
        else:
            row |= {"error": None, "refusal": None, "windows": _NOT_OVER_PLACES.get(call.kind, "")}
        rows.append(row)
    return rows


def _places(call: TracedCall) -> dict[str, Any]:
    """Tokens of each side, steps in pixels, and windows in words."""
    arrangement = call.arrangement
    if arrangement is None:
        return {"queries": call.tokens[0], "keys": call.tokens[1], "step": None, "windows": ""}
    return {
        "queries": arrangement.queries.tokens,
        "keys": arrangement.keys.tokens,
        "step": list(arrangement.finer.patch_size),
        "windows": arrangement.describe(),
    }


def _table(look: Look, report: dict[str, Any]) -> str:
    """The check for a person."""
    height, width = report["input_size"]
    readings = look.attention_seen.readings
    found = "proven by the trace in every layer" if report["layout"]["found"] != "traced" else "traced"
    rows: list[dict[str, Any]] = report["attentions"]
    names = max(len(row["name"]) for row in rows)
    lines = [
        f"{report['model']['name']}  {report['model']['class']}, {report['model']['parameters']:,} parameters",
        f"input    {height} × {width} px",
        f"layout   {look.layout.describe()}; {found}",
        f"readout  {look.readout}{f' ({readings[-1].call.name})' if readings else ''}",
        "",
        f"{'layer':>5}  {'name':<{names}}  {'kind':<8} {'heads':>5} {'queries':>7} {'keys':>6} {'step':>6} {'error':>8}"
        "  windows",
    ]
    for row in rows:
        index = "" if row["layer"] is None else row["layer"]
        step = "" if row["step"] is None else f"{row['step'][0]:g} px"
        error = "" if row["error"] is None else f"{row['error']:.1e}"
        words = "refused" if row["refusal"] else row["windows"]
        lines.append(
            f"{index:>5}  {row['name']:<{names}}  {row['kind']:<8} {row['heads']:>5} {row['queries']:>7} "
            f"{row['keys']:>6} {step:>6} {error:>8}  {words}".rstrip()
        )
    lines.append("")
    if report["branching"]:
        lines.append(f"rollout  none: {report['branching']}")
    lines += [layer.refusal for layer in look.layers if layer.refusal] or [
        f"passed: all rows of {len(look.layers)} layers, recomputed, give what the model computed to "
        f"{look.verification_error:.1e} of the values' magnitude"
    ]
    return "\n".join(lines)
