"""`vitscope check`: what was captured of a model, how it was verified, and the layout found."""

import json
from dataclasses import asdict
from typing import Any

from vitscope.cli.app import DONE, FAILED
from vitscope.cli.look import ModelOptions
from vitscope.look import Look
from vitscope.samples import sample_photo


def run_check(model: ModelOptions, *, as_json: bool) -> int:
    """Verify every row of every layer; exit status 1 if one is refused."""
    scope = model.load()
    look = scope.look(sample_photo(), every_row=True)
    refused = [layer for layer in look.layers if layer.refusal is not None]
    report = {
        **look.settings,
        "input_size": [look.shown[0].seen.height, look.shown[0].seen.width],
        "layout": asdict(look.layout) | {"description": look.layout.describe(), "found": "read, proven by the trace"},
        "readout": look.readout,
        "layers": [asdict(layer) for layer in look.layers],
        "verified_rows": "all",
        "passed": not refused,
    }
    print(json.dumps(report, indent=2) if as_json else _table(look, report))
    return FAILED if refused else DONE


def _table(look: Look, report: dict[str, Any]) -> str:
    """The check for a person."""
    height, width = report["input_size"]
    readings = look.attention_seen.readings
    lines = [
        f"{report['model']['name']}  {report['model']['class']}, {report['model']['parameters']:,} parameters",
        f"input    {height} × {width} px",
        f"layout   {look.layout.describe()}; proven by the trace in every layer",
        f"readout  {look.readout}{f' ({readings[-1].call.name})' if readings else ''}",
        "",
        f"{'layer':>5}  {'name':<40} {'kind':<7} {'heads':>5} {'tokens':>7} {'error':>8}",
    ]
    for layer in look.layers:
        verdict = "  refused" if layer.refusal else ""
        lines.append(
            f"{layer.index:>5}  {layer.name:<40} {layer.kind:<7} {layer.heads:>5} {look.layout.tokens:>7} "
            f"{layer.error:>8.1e}{verdict}"
        )
    lines.append("")
    lines += [layer.refusal for layer in look.layers if layer.refusal] or [
        f"passed: all rows of {len(look.layers)} layers, recomputed, give what the model computed to "
        f"{look.verification_error:.1e} of the values' magnitude"
    ]
    return "\n".join(lines)
