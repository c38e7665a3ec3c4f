"""README's tour runs as it is written, on the bundled model."""

import re
from pathlib import Path

import vitscope

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_tour_runs(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 4
    monkeypatch.chdir(tmp_path)
    vitscope.sample_photo().image.save("photo.jpg")
    names = {"paths": ["photo.jpg", "photo.jpg"], "results": []}
    tour = blocks[0].replace('vitscope.load("vit_small_patch8_224.dino")', "vitscope.load()")
    many = blocks[1].replace("    ...", "    results.append((image_id, values))")
    exec(tour + many, names)
    assert (tmp_path / "figures" / "photo" / "heatmaps.png").is_file()
    for page in ("photo.html", "both.html", "figures/photo/page.html"):
        assert "vitscope-payload" in (tmp_path / page).read_text(encoding="utf-8")
    photo = vitscope.sample_photo().image
    crops = [photo.crop((5 * k, 3 * k, 5 * k + 241, 3 * k + 233)) for k in range(5)]
    exec(
        blocks[2].replace('"cka"]', '"cka"], workers=0'),
        names | {"images": crops, "scope": vitscope.load()},
    )
    assert (tmp_path / "runs" / "dino" / "manifest.json").is_file()
    assert [len(values) for _, values in names["results"]] == [3, 3]


def test_every_public_name_that_readme_writes_exists():
    for name in set(re.findall(r"vitscope\.([A-Za-z_]+)", README)) - {"Look"}:
        assert name in vitscope.__all__, name


def test_the_bundled_photograph_is_scikit_images_own():
    import numpy as np
    from skimage import data

    original = data.chelsea()
    carried = np.asarray(vitscope.sample_photo().image)
    assert carried.shape == original.shape
    assert np.abs(carried.astype(int) - original).mean() < 3  # it is carried as a JPEG
