"""Whether a run that is gone on with is over the pictures and the model that it began with.

Names and weights are compared by its settings; not so other pictures of the same names, or the same weights
called in another way (`wrap(model, forward=…)`, hooks).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from torch import Tensor

from vitscope.errors import RunError
from vitscope.images.naming import printable
from vitscope.surveys.collecting import Collected
from vitscope.surveys.layout import read_table, shard_folder
from vitscope.surveys.loading import Read, read_image
from vitscope.surveys.run import Run
from vitscope.surveys.worker import SurveyWorker

_SHARDS, _IMAGES = 3, 5  # in so many shards so many images are read again
# Of a column's largest number. In six layers rounding moved it by up to 5e-2 in bfloat16 and 5e-3 in float16, whose
# digits are those of TF32; deeper models and other devices round more, and a night's run must not be refused for that.
_TOLERANCES = {"bfloat16": 2e-1, "float16": 5e-2}
_TOLERANCE = 1e-2  # an input mirrored gives 3e-2 and more


@dataclass(frozen=True)
class _Again:
    """An image of a finished shard that was measured, read again: it is the same."""

    shard: int
    place: int  # among the measured images of the shard, in order
    read: Read
    tensor: Tensor  # (3, height, width)


def require_same(run: Run, worker: SurveyWorker) -> None:
    """Read some images of finished shards again; RunError where one is no longer what was measured.

    What cannot be read is passed over. The first is measured again too, unless the run is complete; RunError
    where its numbers are others.
    """
    to_measure = bool(worker.columns.names) and not run.complete
    for again in _read_again(run, worker):
        if to_measure:
            _require_same_numbers(run, worker, again)
            to_measure = False


def _read_again(run: Run, worker: SurveyWorker) -> Iterator[_Again]:
    for shard in _spread(run.shards, _SHARDS):
        file = shard_folder(run.folder, shard, run.shards_total) / "images.parquet"
        images = read_table(file, ["image_id", "input_blake2b", "status"]).to_pylist()
        known = {row["image_id"]: row["input_blake2b"] for row in images if row["status"] == "done"}
        rows = [row for row in worker.plan.rows(shard).to_pylist() if row["id"] in known]
        for place in _spread(range(len(rows)), _IMAGES):
            read, tensor = read_image(worker.source, rows[place], worker.scope.transform)
            if tensor is None:
                continue
            if read.blake2b != known[read.id]:
                raise RunError(
                    f"{printable(read.id)} is another picture than the one that {printable(str(run.folder))} holds "
                    "numbers of; expected the images that the run began with: survey these into another folder"
                )
            yield _Again(shard, place, read, tensor)


def _require_same_numbers(run: Run, worker: SurveyWorker, again: _Again) -> None:
    found = _measured(worker, again)
    file = shard_folder(run.folder, again.shard, run.shards_total) / "heads.parquet"
    held = read_table(file, found.column_names).slice(again.place * found.num_rows, found.num_rows)
    tolerance = _TOLERANCES.get(run.settings["model"]["dtype"], _TOLERANCE)
    for name in worker.columns.names:
        old, new = held[name].to_numpy(), found[name].to_numpy()
        apart = np.abs(old - new) > tolerance * np.abs(np.nan_to_num(old)).max()
        apart |= np.isnan(old) != np.isnan(new)
        if apart.any():
            row = int(apart.argmax())
            where = f"layer {found['layer'][row].as_py()}, head {found['head'][row].as_py()}"
            raise RunError(
                f"the model gives other numbers than those that {printable(str(run.folder))} holds: of "
                f"{printable(again.read.id)}, {name} of {where} was {old[row]:.6g} and is {new[row]:.6g}; expected "
                "what the run began with. The weights are the same, so look for another forward, for hooks or "
                "options of the model; or survey into another folder"
            )


def _measured(worker: SurveyWorker, again: _Again) -> pa.Table:
    """The image's rows of the table of heads, by a forward pass of its own."""
    chosen = [one for one in worker.chosen if one.kind == "column"]
    see = worker.scope.observer([one.measure for one in chosen], batch_size=1, limit_bytes=worker.limit_bytes)
    seen = see(again.tensor[None])
    collected = Collected(worker.columns, keep_maps=False, images=[again.read])
    collected.take([0], {one: one.measure.measure(seen) for one in chosen})
    return collected.result().tables["heads"]


def _spread(values: Sequence[int], count: int) -> list[int]:
    """Up to `count` of them, from the first to the last."""
    last = len(values) - 1
    return sorted({values[round(i * last / max(count - 1, 1))] for i in range(count)}) if values else []
