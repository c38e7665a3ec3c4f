"""From a running model to attention calls.

`tap` watches a forward pass; `fused` and `softmax` decode what it sees into `event`s; `recorder`
verifies them and keeps `call`s. What is computed of these is in `kernels`.
"""
