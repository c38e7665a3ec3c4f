"""Where a model's input lies on the original picture: the map between the two, both ways."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """An axis-aligned affine map between the original picture and the model's input.

    Coordinates are continuous, in pixels: a picture's top left corner is (0, 0), its first pixel's
    centre (0.5, 0.5).
    """

    original: tuple[int, int]  # (height, width) of the original
    input: tuple[int, int]  # (height, width) of the model's input
    box: tuple[float, float, float, float]
    """left, top, right, bottom of what the input covers, in pixels of the original; it reaches
    outside of it where the input is padded."""

    def to_input(self, x: float, y: float) -> tuple[float, float]:
        """(x, y) on the original → (x, y) on the model's input, which may lie outside of it."""
        left, top, right, bottom = self.box
        height, width = self.input
        return (x - left) * width / (right - left), (y - top) * height / (bottom - top)

    def to_original(self, x: float, y: float) -> tuple[float, float]:
        """(x, y) on the model's input → (x, y) on the original, outside of it where padded."""
        left, top, right, bottom = self.box
        height, width = self.input
        return left + x * (right - left) / width, top + y * (bottom - top) / height

    @property
    def stretch(self) -> float:
        """How much more the width is magnified than the height; 1.0 where the aspect is kept."""
        left, top, right, bottom = self.box
        height, width = self.input
        return (width / (right - left)) / (height / (bottom - top))
