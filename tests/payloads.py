"""Payloads for the tests: made of looks, and read back as a reader of the page's file gets them."""

import json
from pathlib import Path

import jsonschema
import torch

import toys
import vitscope
from pages import Document
from vitscope.viewer import html, payload

SCHEMA = json.loads(Path(payload.__file__).with_name("payload.schema.json").read_text("utf-8"))


def document_of(made):
    """A payload as a reader of the page's file gets it, found to be as the schema says."""
    document = Document(html.to_html(made))
    jsonschema.Draft202012Validator(SCHEMA).validate(document.header)
    assert [len(block) for block in document.blocks] == document.header["blocks"]
    return document


def carried(document, look=0):
    layers = document.header["looks"][look]["layers"]
    attention = document.image(look)["attention"]
    assert [entry is None for entry in attention] == [layer["absent"] is not None for layer in layers]
    return [index for index, entry in enumerate(attention) if entry is not None]


def toy(spelling, dtype=torch.float32, images=2):
    model = toys.ToyViT(spelling).eval().to(dtype)
    return vitscope.wrap(model).look(torch.randn(images, 3, 28, 44, dtype=dtype))  # 7 × 11 patches


def photo(scope):
    return scope.look(vitscope.sample_photo())
