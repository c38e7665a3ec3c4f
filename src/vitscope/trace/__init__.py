"""The layout and the readout of a model, proven by experiments on it."""

from vitscope.trace.readout import find_answer
from vitscope.trace.tracing import Traced, TracedCall, trace

__all__ = ["Traced", "TracedCall", "find_answer", "trace"]
