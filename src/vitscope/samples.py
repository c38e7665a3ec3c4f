"""The photograph that vitscope carries, for trying it with no file at hand."""

from importlib.resources import files

from vitscope.images.decode import Picture, open_picture

SAMPLE_NAME = "chelsea.jpg"


def sample_photo() -> Picture:
    """Chelsea the cat, by Stéfan van der Walt, CC0; taken from scikit-image, which distributes it."""
    return open_picture(files("vitscope").joinpath("assets", SAMPLE_NAME).read_bytes(), name=SAMPLE_NAME)
