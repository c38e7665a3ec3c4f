"""Whether a run that is gone on with is over the pictures that it began with, and not others of their names."""

from collections.abc import Sequence

from vitscope.errors import RunError
from vitscope.images.naming import printable
from vitscope.images.transform import Transform
from vitscope.surveys.layout import read_table, shard_folder
from vitscope.surveys.loading import read_image
from vitscope.surveys.planning import SurveyPlan
from vitscope.surveys.run import Run
from vitscope.surveys.sources.base import Source

_SHARDS, _IMAGES = 3, 5  # in so many shards so many images are read again


def require_same_images(run: Run, source: Source, plan: SurveyPlan, transform: Transform | None) -> None:
    """Read some images of finished shards again; RunError where one is no longer what was measured.

    What cannot be read is passed over.
    """
    for shard in _spread(run.shards, _SHARDS):
        file = shard_folder(run.folder, shard, run.shards_total) / "images.parquet"
        measured = read_table(file, ["image_id", "input_blake2b"]).to_pydict()
        known = dict(zip(measured["image_id"], measured["input_blake2b"], strict=True))
        rows = plan.rows(shard)
        for number in _spread(range(rows.num_rows), _IMAGES):
            read, _ = read_image(source, rows.slice(number, 1).to_pylist()[0], transform)
            if read.blake2b is not None and read.blake2b != known.get(read.id):
                raise RunError(
                    f"{printable(read.id)} is another picture than the one that {printable(str(run.folder))} holds "
                    "numbers of; expected the images that the run began with: survey these into another folder"
                )


def _spread(values: Sequence[int], count: int) -> list[int]:
    """Up to `count` of them, from the first to the last."""
    last = len(values) - 1
    return sorted({values[round(i * last / max(count - 1, 1))] for i in range(count)}) if values else []
