"""Names that try to become markup or script, and a look that bears them wherever a name can stand."""

from dataclasses import replace

from vitscope.look import Look

NAMES = {
    "script": "</script><script>window.owned=1</script>",
    "image": "\"><img src=x onerror=window.owned=1>'",
    "separators": "a\u2028window.owned=1\u2029b",
    "comment": "<!--<script>window.owned=1",
    "address": "javascript:window.owned=1",
    "style": "</style></title></noscript><svg onload=window.owned=1>",
    "template": "{{constructor.constructor('window.owned=1')()}}${window.owned=1}",
    "entities": "&lt;img src=x onerror=window.owned=1&gt;&#0;",
}


def hostile_look(look: Look, name: str) -> Look:
    """The look, with `name` as the name of its picture, its note, its model, its layers and all its settings."""
    model = dict.fromkeys(look.settings["model"], name) | {name: name}
    settings = {"model": model, "preprocessing": {"fit": name, name: name}, "versions": {name: name}}
    layers = tuple(replace(call, name=f"{index} {name}") for index, call in enumerate(look.attention_seen.layers))
    shown = tuple(replace(one, name=name, note=name) for one in look.shown)
    return replace(look, shown=shown, settings=settings, attention_seen=replace(look.attention_seen, layers=layers))
