"""Tables and page of surveys: everything said, and nothing from elsewhere."""

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib as mpl
import pytest

from survey_runs import UNEVEN
from vitscope.render.style import png_of
from vitscope.render.surveys import facts, page
from vitscope.render.surveys import plates as plates_module
from vitscope.render.surveys.plates import plates
from vitscope.render.surveys.tables import CLASS_HEADER, HEADER, write_class_table, write_json, write_table


def test_the_tidy_table(summary, tmp_path):
    write_table([summary, summary], tmp_path / "summary.csv")
    with (tmp_path / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEADER
    assert len(rows) == 2 * 4 * (1 + 5 + sum(UNEVEN.heads))
    column = summary.columns["distance"]
    find = {(row["model"], row["measure"], row["layer"], row["head"]): row for row in rows}
    head = find["vit_toy_patch16_224 (2)", "distance", "1", "4"]
    assert float(head["mean"]) == pytest.approx(column.heads.mean[1, 4], rel=1e-6)
    assert float(head["low"]) == pytest.approx(column.heads.low[1, 4], rel=1e-6)
    assert (head["images"], find["vit_toy_patch16_224 (1)", "entropy", "", ""]["images"]) == ("61", "61")
    assert float(find["vit_toy_patch16_224 (1)", "distance", "3", ""]["high"]) == pytest.approx(
        column.layers.high[3], rel=1e-6
    )
    assert ("vit_toy_patch16_224 (1)", "distance", "2", "2") not in find


def test_the_table_of_classes(summary, tmp_path):
    write_class_table([summary], tmp_path / "classes.csv")
    with (tmp_path / "classes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CLASS_HEADER
    assert len(rows) == 4 * 5 * (1 + 5 + sum(UNEVEN.heads))
    first = next(
        row
        for row in rows
        if (row["measure"], row["label"], row["layer"], row["head"]) == ("entropy", "class 3", "0", "2")
    )
    assert float(first["mean"]) == pytest.approx(summary.columns["entropy"].classes.heads[3, 0, 2], rel=1e-6)
    assert (first["low"], first["images"]) == ("", "12")


def test_the_json_of_all(summary, tmp_path):
    other = replace(summary, images_digest="0" * 64)
    write_json([summary, other], tmp_path / "summary.json")
    found = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert [model["title"] for model in found["models"]] == ["vit_toy_patch16_224 (1)", "vit_toy_patch16_224 (2)"]
    assert "different images" in found["reservations"][0]
    assert found["models"][0]["columns"]["distance"]["overall"]["mean"] == float(
        summary.columns["distance"].overall.mean
    )


class Tags(HTMLParser):
    """Tags, their attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open += [tag] if tag not in ("meta", "img") else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(page, "_DPI", 20)


@pytest.mark.usefixtures("quick")
def test_the_page_holds_everything_and_nothing_from_elsewhere(four, tmp_path):
    page.write_page(four, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text("utf-8")
    parsed = Tags(text)
    assert not parsed.open
    words = " ".join(" ".join(parsed.words).split())
    assert not {"script", "link", "iframe", "b"} & {tag for tag, _ in parsed.tags}
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert not [attrs for _, attrs in parsed.tags if "style" in attrs or any(name.startswith("on") for name in attrs)]
    policy = next(attrs["content"] for tag, attrs in parsed.tags if "http-equiv" in attrs)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    made = plates(four)
    assert sum(tag == "img" for tag, _ in parsed.tags) == len(made)
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    targets = {attrs["href"].removeprefix("#") for tag, attrs in parsed.tags if tag == "a"}
    assert targets <= set(ids)
    for plate in made:
        assert plate.name in ids
        assert plate.draw(caption=False).get_label() in words
    assert "$cost$ <b>写真</b>" in words
    for expected in (
        "4 models compared",
        "61 of set0/, 2 failed",
        "unfinished: 3 of 4 shards",
        "different images",
        "0123456789abcdef" * 4,
    ):
        assert expected in words


@pytest.mark.usefixtures("quick")
def test_the_pages_numbers_are_the_summarys(summary):
    text = "".join(page.page_parts([summary]))
    column = summary.columns["distance"]
    for estimate, at in ((column.overall, ()), (column.layers, 3), (column.heads, (1, 4))):
        mean, low, high = (f"{float(part[at]):#.4g}" for part in (estimate.mean, estimate.low, estimate.high))
        assert f'<td class="number">{mean}<small>{low} to {high}</small></td>' in text
    assert text.count("<details>") == 2 * 4
    assert "every class" in text
    assert "<h1>vit_toy_patch16_224: a survey</h1>" in text
    assert 'class="beware"' not in text


@pytest.mark.usefixtures("quick")
def test_hostile_names_stay_text(made):
    hostile = made(model="<script>alert(1)</script>\"'&", heads=[2, 2])
    column = hostile.columns["distance"]
    labels = tuple(f"<img src=x onerror=alert({i})>" for i in range(5))
    column = replace(column, name="<i>", convention="<svg onload=x>", classes=replace(column.classes, labels=labels))
    settings = {**hostile.settings, "source": {"name": '"><script>'}}
    one = replace(hostile, columns={"distance": column}, settings=settings)
    for summaries in ([one], [one, one]):
        parsed = Tags("".join(page.page_parts(summaries)))
        assert not {"script", "i", "svg"} & {tag for tag, _ in parsed.tags}
        assert all(attrs["src"].startswith("data:image/png") for tag, attrs in parsed.tags if tag == "img")
        assert not parsed.open


def test_pictures_have_the_width_of_a_page(four):
    for plate in plates(four):
        image = mpl.image.imread(io.BytesIO(png_of(plate.draw(), dpi=50)))
        assert image.shape[1] == 360
        assert 40 < image.shape[0] < 900


@pytest.mark.usefixtures("quick")
def test_every_picture_says_where_its_numbers_are(summary, tmp_path):
    write_json([summary], tmp_path / "summary.json")
    (model,) = json.loads((tmp_path / "summary.json").read_text("utf-8"))["models"]
    parsed = Tags("".join(page.page_parts([summary])))
    said = [attrs["alt"].partition("; its numbers are in the ")[2] for tag, attrs in parsed.tags if tag == "img"]
    assert said == ["tables below"] * 6 + ["file summary.json"] * 5
    assert model["maps"][0]["values"] == summary.maps[0].values.tolist()
    assert model["alignments"][0]["values"] == summary.alignments[0].values.tolist()
    assert model["similarities"][0]["layers"][:4] == summary.similarities[0].layers[:4].tolist()


@pytest.mark.usefixtures("quick")
def test_classes_that_the_page_has_no_room_for_are_in_their_file(summary, monkeypatch):
    for module in (facts, plates_module):
        monkeypatch.setattr(module, "MOST_CLASSES", 4)
    text = "".join(page.page_parts([summary]))
    assert 'by class; its numbers are in the file classes.csv"' in text
    assert "1 more are in classes.csv." in text


@pytest.mark.usefixtures("quick")
def test_the_page_says_why_there_is_no_figure(made, tmp_path):
    few = made(images=31)
    text = "".join(page.page_parts([few]))
    sentence = "No figure of linear CKA between layers for vit_toy_patch16_224: fewer than 4 images in every minibatch."
    assert f'<p class="note">{sentence}</p>' in text
    write_json([few], tmp_path / "summary.json")
    assert json.loads((tmp_path / "summary.json").read_text("utf-8"))["absent"] == [sentence]
