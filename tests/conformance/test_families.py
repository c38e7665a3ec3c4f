"""Every listed family, traced and looked at: `make test-long`; a few of them in `make test`."""

import pytest

from conformance.checks import MIXED_AFTER_SOFTMAX, NO_ROLLOUT, SEVERAL_SCALES, check
from conformance.families import Family, Layer, families, read_layers
from vitscope.errors import VitscopeError

FAMILIES = families()
# Run by `make test`: quick ones, as unlike one another as can be.
SAMPLE = {
    "timm:cait",
    "timm:hiera",
    "timm:mobilevit",
    "timm:swin_transformer",
    "torchvision:maxvit",
    "open_clip:vit",
    "transformers:levit",
    "transformers:mobilevitv2",
    "transformers:pvt_v2",
    "transformers:segformer",
}


def as_parameter(family: Family):
    marks = () if family.key in SAMPLE else (pytest.mark.long,)
    return pytest.param(family, id=family.key, marks=marks)


@pytest.mark.parametrize("family", [as_parameter(family) for family in FAMILIES])
def test_family_is_seen_as_listed(family):
    if not family.gap:
        check(family)
        return
    try:
        check(family)
    except (AssertionError, VitscopeError, TypeError):  # TypeError: of shapes, which the tests check
        return
    pytest.fail(f"{family.key} works: remove its gap from the list ({family.gap})")


def test_gaps_are_at_most_one_family_in_twenty():
    works = [family for family in FAMILIES if family.expect == "works"]
    gaps = [family for family in FAMILIES if family.gap]
    assert len(gaps) <= 0.05 * len(works)
    assert all(family in works for family in gaps)


def test_the_list_names_each_family_once_and_the_tables_name_listed_ones():
    keys = [family.key for family in FAMILIES]
    assert len(set(keys)) == len(keys)
    for table in (SAMPLE, NO_ROLLOUT, MIXED_AFTER_SOFTMAX, SEVERAL_SCALES):
        assert set(table) <= set(keys)
    assert not any(family.expect == "refused" for family in FAMILIES)
    assert all(family.reason for family in FAMILIES if family.expect == "nothing")


def test_notation_is_read_strictly():
    window, reduced = Layer("window", (4, 6), "shifted"), Layer("window", (8, 8), "halo", 2, (1, 1))
    assert read_layers(["window 4x6 shifted ×2", "window 8 halo reduced q/2 k/1"]) == (window, window, reduced)
    assert read_layers(["reduced q/1 k=7x7"]) == (Layer("reduced", fixed=(7, 7)),)
    assert [layer.seen_as for layer in read_layers(["reduced q/2 k/2", "reduced q/1 k/1x4"])] == ["global", "reduced"]
    for wrong in ("", "window", "window 4 tilted", "reduced", "global reduced q/1 k/2", "global q/1 k/2", "pool×2"):
        with pytest.raises(ValueError, match="notation"):
            read_layers([wrong])
