"""The layout and the readout of a model, proven by experiments on it."""

from vitscope.trace.codes import Traced, TracedCall, trace
from vitscope.trace.readout import find_answer

__all__ = ["Traced", "TracedCall", "find_answer", "trace"]
