"""What all commands share: the application, the arguments of several, exit statuses. Imports nothing heavy."""

from typing import Annotated

from cyclopts import App, Parameter

DONE, FAILED, USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130

app = App(
    name="vitscope",
    help="See where a Vision Transformer looks: any PyTorch ViT, unmodified, with numbers you can cite.",
    version=lambda: __import__("importlib.metadata").metadata.version("vitscope"),
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,  # answered below, with a word
)

Model = Annotated[str | None, Parameter(name=["--model", "-m"])]
Size = Annotated[str | None, Parameter(name="--image-size")]
