"""The tap: sees each attention of a running, unmodified PyTorch model.

One `TorchFunctionMode`, active in its own thread only, for the length of a forward pass. It calls
every function exactly as the model did and hands the result on untouched, unless its observer
answers in the function's place.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from types import FrameType
from typing import Any, cast

from torch import Tensor, nn
from torch._ops import HigherOrderOperator, OpOverload, OpOverloadPacket
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from vitscope.attention import fused
from vitscope.attention.eager import uncompiled
from vitscope.attention.event import AttentionEvent, Observer
from vitscope.attention.softmax import SoftmaxFollower
from vitscope.errors import CaptureError

_OPERATORS = (OpOverload, OpOverloadPacket, HigherOrderOperator)


class Tap(TorchFunctionMode):
    """Reports every attention inside the `with` block to `observer`.

    Functions of attention are `scaled_dot_product_attention`, `multi_head_attention_forward`, and
    a softmax in the open whose result multiplies values. What is compiled runs as it was written. An
    operator of attention that is called directly raises CaptureError: its layer would be missing.
    """

    def __init__(self, model: nn.Module, observer: Observer) -> None:
        super().__init__()
        self._observer = observer
        self._names = {id(module): name for name, module in model.named_modules()}
        self._follower = SoftmaxFollower(self._attention)
        self._running = ExitStack()

    def __enter__(self) -> "Tap":
        self._running.enter_context(uncompiled())
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self._running.close()
        self._observer = Observer()  # a tap and its follower know each other, and would keep what was observed

    @property
    def lost(self) -> list[str]:
        """Layers with an attention whose product with values was not seen."""
        return self._follower.lost

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            event = fused.scaled_dot_product(self._layer(), args, kwargs)
            return self._attention(event, lambda: func(*args, **kwargs))
        if func is F.multi_head_attention_forward:
            return self._multi_head(func, args, kwargs)
        if _is_operator(type(func)):
            _require_no_attention(str(func), self._layer())
        return self._follower(func, args, kwargs, self._layer)

    def _attention(self, event: AttentionEvent, compute: Callable[[], Tensor]) -> Tensor:
        answer = self._observer.before(event)
        if answer is not None:
            return answer
        output = compute()
        self._observer.after(event, output)
        return output

    def _multi_head(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        event = fused.multi_head(self._layer(), args, kwargs)
        weights: list[Any] = [None]

        def compute() -> Tensor:
            output, weights[0] = func(*args, **kwargs)
            return output

        return self._attention(event, compute), weights[0]

    def _layer(self) -> str:
        """Name of the innermost module that is running: the nearest caller whose first argument is one.

        Reading the stack needs no hook on the user's modules, and belongs to this thread alone.
        """
        frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame is not None:
            arguments = frame.f_code.co_varnames[: frame.f_code.co_argcount]
            if arguments:
                first = cast(object, frame.f_locals.get(arguments[0]))
                if isinstance(first, nn.Module) and id(first) in self._names:
                    return self._names[id(first)]
            frame = frame.f_back
        return ""


@cache
def _is_operator(kind: type) -> bool:
    """Whether functions of this type are operators; remembered, as asking is slow (one of these is abstract)."""
    return issubclass(kind, _OPERATORS)


def _require_no_attention(operator: str, layer: str) -> None:
    if "attention" in operator or "attn" in operator:
        raise CaptureError(
            f"layer {layer!r} attends by the operator {operator}, which shows no queries and keys; switch it off, as "
            'with attn_implementation="sdpa" in transformers'
        )
