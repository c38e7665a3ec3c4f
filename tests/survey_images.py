"""Images to survey, small surveys of them, and how runs are compared."""

import numpy as np
import torch

import vitscope

IMAGES = 23
CKA = vitscope.LinearCKA(minibatch=5)


def pixels(seed, height=37, width=53):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def pictures():
    return {f"{'even' if i % 2 == 0 else 'odd'}/{i}": pixels(i) for i in range(IMAGES)}


def tensors():
    return {f"{i}": torch.randn(3, 8, 12, generator=torch.Generator().manual_seed(i)) for i in range(IMAGES)}


def toy_survey(model, folder, images=None, **options):
    """Of preprocessed tensors, by a toy of this model's kind."""
    scope = vitscope.wrap(model.eval())
    settings = {"measures": ["distance", "entropy", CKA], "shard_size": 10, "workers": 0, "progress": False}
    return vitscope.survey(tensors() if images is None else images, scope, folder, **settings | options)


def by_image(run, name="heads"):
    """The table in an order of its own, as a dict of arrays."""
    table = run.table(name)
    keys = [(key, "ascending") for key in ("image_id", "measure", "layer", "head") if key in table.column_names]
    return {column: values.to_pylist() for column, values in zip(table.column_names, table.sort_by(keys), strict=True)}


def assert_same(found, expected, tables=("heads", "maps")):
    for name in tables:
        one, other = by_image(found, name), by_image(expected, name)
        assert list(one) == list(other)
        for column in one:
            if one[column] and isinstance(one[column][0], float | list):
                np.testing.assert_allclose(one[column], other[column], rtol=1e-5, atol=1e-6, err_msg=column)
            else:
                assert one[column] == other[column]
    ours, theirs = found.states(), expected.states()
    assert sorted(ours) == sorted(theirs)
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-5, atol=1e-5, err_msg=name)
