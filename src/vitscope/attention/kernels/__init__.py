"""What is computed from a layer's attention calls, each kernel with one signature and several bodies.

`reference` is the formula, on whole layers; `tiled` runs on any device; `compiled` on a CPU; `triton` on
CUDA. A test joins each to `reference`. `choice` picks the body.
"""
