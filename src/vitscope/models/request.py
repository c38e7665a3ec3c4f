"""What a user asked for, parsed once; every model source reads it and none parses again."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """One model to load, with every argument already checked for its kind."""

    name: str  # as the user wrote it, prefix included
    target: str  # what stands after the prefix
    pretrained: bool = True  # False where a checkpoint follows, too: its weights replace these
    image_size: tuple[int, int] | None = None  # (height, width), pixels of the model's input
    whole: bool = False  # the whole picture, so that the input's size differs from picture to picture

    @property
    def other_sizes(self) -> bool:
        """Whether the model must take inputs of another size than its own."""
        return self.whole or self.image_size is not None

    @property
    def folder(self) -> Path | None:
        """The folder on this machine that the name means, or None: only two prefixes take folders."""
        if not self.name.startswith(("local-dir:", "transformers:")):
            return None
        path = Path(self.target).expanduser()
        return path if path.is_dir() else None
