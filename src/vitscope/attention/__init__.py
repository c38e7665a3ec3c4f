"""From a running model to attention calls, and from calls to numbers over their rows.

`tap` watches a forward pass; `fused` and `softmax` decode what it sees into `event`s;
`recorder` verifies them and keeps `call`s; `reference` and `tiled` are two bodies of the same
kernels, one plain, one that never holds a layer's N × N weights.
"""
