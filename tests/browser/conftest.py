"""One Chromium for all tests of the page, and the pages they share, each written once."""

from contextlib import ExitStack
from functools import cache

import pytest

from browser.needed import needed_chromium, needed_module

FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="package")
def chromium():
    """The browser; closed with this package, as its event loop would trouble other tests."""
    with needed_module("playwright.sync_api").sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=needed_chromium(), args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(chromium):
    """Open a file for one test: `open_page(path, layer=3, width=390, …)`; see browser.viewer.opened."""
    from browser.viewer import opened

    with ExitStack() as contexts:
        yield lambda path, **options: opened(chromium, contexts, path, **options)


@pytest.fixture(scope="package")
def shared_page(chromium):
    """Open a file once for many tests, which only go from state to state."""
    from browser.viewer import opened

    with ExitStack() as contexts:
        yield cache(lambda path: opened(chromium, contexts, path))


@pytest.fixture(scope="package")
def files(tmp_path_factory):
    """Write a page of looks into a file of its own name, once: `files("name", [look], compare=False)`."""
    from vitscope import page

    folder = tmp_path_factory.mktemp("pages")

    def written(name, looks, **options):
        path = folder / f"{name}.html"
        return path if path.exists() else page(looks, **options).save(path)

    return written


@pytest.fixture(scope="package")
def looks():
    """Looks by kind, each made when first asked for: `looks("registers")`."""
    from browser.looks import look_of

    return cache(look_of)


@pytest.fixture(scope="package")
def photo_look(bundled):
    """The bundled photograph, seen by the bundled model: 6 layers, 4 heads, 16 × 16 patches, a class token."""
    from vitscope import sample_photo

    return bundled.look(sample_photo())


@pytest.fixture
def photo(photo_look, files, shared_page):
    """The page of `photo_look`, as it opens."""
    return shared_page(files("photo", [photo_look])).fresh()


@pytest.fixture
def strip(bundled, files, shared_page):
    """Three pictures of one model: the photograph, it mirrored, it upside down."""
    from PIL import Image

    from vitscope import open_picture, sample_photo

    photo = sample_photo().image
    flipped = [
        photo,
        photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        photo.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    ]
    names = ("plain.png", "mirrored.png", "upside down.png")
    look = bundled.look([open_picture(one, name=name) for one, name in zip(flipped, names, strict=True)])
    return look, shared_page(files("strip", [look])).fresh()
