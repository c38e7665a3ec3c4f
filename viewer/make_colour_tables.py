"""Write src/colours/tables.ts: matplotlib's colour maps, so that the page's colours are the figures'.

`python viewer/make_colour_tables.py` writes the file; with `--check` it exits 1 if the file differs.
"""

import argparse
import base64
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

TARGET = Path(__file__).parent / "src" / "colours" / "tables.ts"

# coolwarm (Moreland 2009) for differences: of matplotlib's diverging maps that are bright in the middle it has
# arms of equally changing lightness (L* 38, 88, 38; no two values of equal size differ by more than 0.3, RdBu_r 4.4,
# PuOr 24), signs farthest apart to every kind of dichromatic sight (CIEDE2000 of the ends 44 or more, RdBu_r 23),
# and neither a white middle nor black ends, which would vanish in a light or a dark page.
NAMES = {
    "viridis": "viridis",
    "inferno": "inferno",
    "cividis": "cividis",
    "grey": "gray",
    "difference": "coolwarm",
}

HEADER = """\
/**
 * Colour maps of matplotlib: 256 times red, green and blue, in base64.
 * Made by viewer/make_colour_tables.py, which says why these; not to be edited.
 */

export const TABLES = {
"""


def text() -> str:
    """The whole file."""
    lines = [f'  {name}:\n    "{encoded(source)}",\n' for name, source in NAMES.items()]
    return HEADER + "".join(lines) + "} as const;\n"


def encoded(name: str) -> str:
    """One map's 256 colours as base64 of (256, 3) bytes."""
    colours = mpl.colormaps[name](np.arange(256), bytes=True)  # (256, 4)
    return base64.b64encode(np.ascontiguousarray(colours[:, :3]).tobytes()).decode()


def main() -> int:
    """Write the file, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file differs")
    if not parser.parse_args().check:
        TARGET.write_text(text(), encoding="utf-8", newline="\n")
        return 0
    found = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if found == text():
        return 0
    print(f"{TARGET} is not what matplotlib {mpl.__version__} gives: run python {sys.argv[0]}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
