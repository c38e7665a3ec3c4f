"""Make README's pictures anew from the bundled model and photograph: `make pictures`."""

from pathlib import Path

import vitscope
from vitscope.render.distance import distance_figure
from vitscope.render.heatmaps import heatmaps_figure
from vitscope.render.rollout import rollout_figure
from vitscope.render.style import save

PICTURES = Path(__file__).parent / "pictures"


def main() -> None:
    """Write docs/pictures/*.png."""
    look = vitscope.load().look(vitscope.sample_photo())
    for name, figure in (("heatmaps", heatmaps_figure), ("rollout", rollout_figure), ("distance", distance_figure)):
        save(figure(look), str(PICTURES / f"{name}.png"), dpi=150)


if __name__ == "__main__":
    main()
