"""Every error that vitscope raises, as one tree.

    VitscopeError
    ├── ArgumentError        an argument that has no meaning here (also a ValueError)
    │   └── QueryError       a layer or query that the model does not have
    ├── ImageError           a picture that cannot be read or shown to the model
    ├── ModelError
    │   ├── UnknownModelError    a name that nothing answers to
    │   ├── CheckpointError      weights that cannot be read or do not fit
    │   └── MissingLibraryError  an optional library that is not installed
    ├── CaptureError         attention that cannot be seen
    │   ├── NoAttentionError     nothing was captured at all
    │   ├── LimitError           what must be kept of the attention takes more than the limit
    │   ├── NotFiniteError       NaN or infinity in weights, input or activations
    │   └── VerificationError    recomputed attention differs from the model's own
    ├── LayoutError          tokens that do not stand where they should
    ├── SourceError          images for a survey that cannot be listed, or no longer be read
    ├── RunError             a survey's run that cannot be opened, or not be gone on with
    └── OutputError          a result that cannot be written

A message says what was found, what was expected and what to do.
"""


class VitscopeError(Exception):
    """The root of vitscope's errors: catch it to catch them all."""


class ArgumentError(VitscopeError, ValueError):
    """An argument has no meaning here."""


class QueryError(ArgumentError):
    """The layer or query asked for does not exist in this model."""


class ImageError(VitscopeError):
    """A picture cannot be read, or cannot be shown to the model."""


class ModelError(VitscopeError):
    """A model cannot be made ready."""


class UnknownModelError(ModelError):
    """No model answers to this name."""


class CheckpointError(ModelError):
    """The weights cannot be read, or belong to another architecture."""


class MissingLibraryError(ModelError):
    """The library that this name belongs to is not installed."""


class CaptureError(VitscopeError):
    """The model's attention cannot be seen."""


class NoAttentionError(CaptureError):
    """The forward pass ended without a single attention call seen."""


class LimitError(CaptureError):
    """What must be kept of the attention takes more than the limit; fewer images at once take less."""


class NotFiniteError(CaptureError):
    """NaN or infinity stands in the weights, the input or the activations."""


class VerificationError(CaptureError):
    """Recomputed attention differs from what the model computed."""


class LayoutError(VitscopeError):
    """Tokens do not stand where the layout says, or no layout fits."""


class SourceError(VitscopeError):
    """The images of a survey cannot be listed, or can no longer be read."""


class RunError(VitscopeError):
    """A survey's run cannot be opened, or cannot be gone on with."""


class OutputError(VitscopeError):
    """A result cannot be written where it was asked for."""
