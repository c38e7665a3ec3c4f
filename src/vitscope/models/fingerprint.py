"""Which weights a model holds, as one number that does not depend on where they live."""

import hashlib
import json

import torch
from torch import Tensor, nn


def weights_sha256(model: nn.Module) -> str:
    """SHA-256, in hexadecimal, over the model's state_dict in sorted order of its keys.

    Each entry adds a line of JSON (name, dtype, shape) and its bytes, little-endian and row-major.
    The same on every device; another dtype gives another number, for it is other weights.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        header = json.dumps([name, str(tensor.dtype), list(tensor.shape)])
        digest.update(header.encode() + b"\n")
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    # NumPy has no bfloat16: bytes are read through uint8, whatever the dtype.
    return flat.view(torch.uint8).numpy().tobytes()
