"""Any PIL image → RGB, 8 bit, upright, with a note on what that took.

ICC profiles are ignored: pixels keep the numbers of the file, as the models' own pipelines keep them.
"""

from typing import Any, cast

import numpy as np
from jaxtyping import Integer, Shaped, UInt8
from PIL import Image, ImageFile

from vitscope.errors import ImageError

_ORIENTATION = 0x0112  # EXIF tag
_UPRIGHT = {  # EXIF orientation → what turns it upright (CIPA DC-008, 4.6.4 A)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def plain(image: Image.Image) -> tuple[Image.Image, str]:
    """A new image in RGB, 8 bit, upright, and the note; the one given keeps its pixels.

    Transparency is laid over white. 16-bit grey is scaled to 8 by 1/257; other grey of more than 8
    bit from its own minimum and maximum. Of several frames the current one is taken. Raises
    ImageError for NaN and infinity, and whatever Pillow raises for damaged files.
    """
    notes = [_frame_note(image), _high_byte_note(image)]  # both are lost on load
    image.load()
    orientation, orientation_note = _orientation(image)
    rgb, pixel_note = _to_rgb(image)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    rgb.info = {}  # an orientation left in it would be applied once more by whoever opens this image
    return rgb, ", ".join(note for note in (*notes, pixel_note, orientation_note) if note)


def _frame_note(image: Image.Image) -> str:
    try:
        frames, current = int(getattr(image, "n_frames", 1)), image.tell()
    except Exception:  # takes nothing from this frame
        return "other frames unreadable"
    if frames == 1:
        return ""
    return f"first of {frames} frames" if current == 0 else f"frame {current + 1} of {frames}"


def _high_byte_note(image: Image.Image) -> str:
    """Pillow itself reads 16-bit colour as its high byte; the tile's raw mode tells."""
    if image.mode not in {"RGB", "RGBA", "LA"} or not isinstance(image, ImageFile.ImageFile):
        return ""
    return "16-bit colour reduced to 8" if any(";16" in str(tile[3]) for tile in image.tile) else ""


def _orientation(image: Image.Image) -> tuple[int, str]:
    # After load: TIFF turns itself upright there, and drops the tag.
    try:
        return int(image.getexif().get(_ORIENTATION, 1)), ""
    except Exception:  # EXIF is bytes from anywhere; the picture stands without it
        return 1, "EXIF unreadable, shown as stored"


def _to_rgb(image: Image.Image) -> tuple[Image.Image, str]:
    if image.mode == "F":
        return _from_range(np.asarray(image))
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image)
        fits = values.min() >= 0 and values.max() <= 65535
        return _from_16_bit(values, image.info.get("transparency")) if fits else _from_range(values)
    return _over_white(image) if image.has_transparency_data else (image.convert("RGB"), "")


def _from_16_bit(values: Integer[np.ndarray, "height width"], transparent: Any) -> tuple[Image.Image, str]:
    note = f"16-bit scaled to 8 (values {values.min()} to {values.max()} of 65535)"
    grey = np.rint(np.arange(65536) / 257).astype(np.uint8)[values]
    if isinstance(transparent, int) and (hidden := values == transparent).any():  # PNG's tRNS: one grey level
        grey[hidden], note = 255, f"{note}, transparency laid over white"
    return _grey(grey), note


def _from_range(values: Shaped[np.ndarray, "height width"]) -> tuple[Image.Image, str]:
    """Values without a natural range, from their minimum (black) to their maximum (white); all equal: black."""
    if not np.isfinite(values).all():
        raise ImageError(
            "pixels hold NaN or infinity; expected finite numbers; replace them (np.nan_to_num) and pass a uint8 array"
        )
    low, high = float(values.min()), float(values.max())
    scaled = (values.astype(np.float64) - low) * 255 / ((high - low) or 1.0)
    return _grey(np.rint(scaled).astype(np.uint8)), f"values {low:.6g} to {high:.6g} scaled to 0 to 255"


def _grey(values: UInt8[np.ndarray, "height width"]) -> Image.Image:
    return Image.fromarray(values).convert("RGB")


def _over_white(image: Image.Image) -> tuple[Image.Image, str]:
    # La, the premultiplied LA, converts only to LA.
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    lowest, _ = cast(tuple[int, int], rgba.getchannel("A").getextrema())
    if lowest == 255:
        return rgba.convert("RGB"), ""
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB"), "transparency laid over white"
