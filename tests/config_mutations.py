"""Random changes of pipeline configs that keep to the schema."""

import random

from odapi.config import schema
from odapi.config.load import load_config

_INTEGERS = (0, 1, 2, 3, 5, 7, 64, 100, -1, -3, 2**31 - 1)
_FLOATS = (
    0.0, 1.0, -1.0, 0.5, 0.99, 1e-12, 1e30, -0.25, 2.0, 100.0,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
# Fields that name files and classes of the data. They are only cleared.
_FILES = frozenset(
    {
        "CenterNet.keypoint_label_map_path", "InputReader.label_map_path",
        "TFRecordInputReader.input_path", "TrainConfig.fine_tune_checkpoint",
        "CocoKeypointMetrics.class_label",
        "CenterNet.KeypointEstimation.keypoint_class_name",
        "Options.train_data", "Options.eval_data", "Options.backbone_weights",
    }
)  # fmt: skip


class Mutator:
    """Changes configs at random, with values and messages seen in other configs.

    Args:
        configs: TrainEvalPipelineConfigs to learn from.
        seed: Seed of the changes.
    """

    def __init__(self, configs, seed):
        self._rng = random.Random(seed)
        self._messages = {}
        self._values = {}
        for config in configs:
            for _, owner, field in schema.walk(config):
                held = schema.value(owner, field)
                if schema.is_map(field):
                    continue
                for element in held if field.is_repeated else [held]:
                    if schema.is_message(field):
                        name = field.message_type.full_name
                        self._messages.setdefault(name, []).append(element)
                    else:
                        known = self._values.setdefault(schema.key(field), [])
                        if element not in known:
                            known.append(element)

    def mutate(self, config):
        """Returns a changed copy of `config`, and the changes in words."""
        config = load_config(config)
        changes = []
        while not changes or self._rng.random() < 0.35:
            if change := self._change(config):
                changes.append(change)
        return config, changes

    def _change(self, config):
        places = [("", config)]
        for path, owner, field in schema.walk(config):
            if schema.is_message(field):
                places += schema.elements(path, owner, field)
        path, message = self._rng.choice(places)
        fields = list(message.DESCRIPTOR.fields)
        if not fields:
            return None
        field = self._rng.choice(fields)
        if schema.is_map(field):
            return None
        here = schema.join(path, field.name)
        is_set = schema.is_set(message, field)
        if is_set and self._rng.random() < 0.2:
            schema.clear(message, field)
            return f"{here} is cleared"
        if schema.key(field) in _FILES:
            return None
        if schema.is_message(field):
            return self._set_message(message, field, here)
        return self._set_scalar(message, field, here)

    def _set_message(self, message, field, here):
        pool = self._messages.get(field.message_type.full_name, [])
        new = type(message)()
        target = getattr(new, field.name)
        element = target.add() if field.is_repeated else target
        element.SetInParent()
        if pool and self._rng.random() < 0.7:
            element.CopyFrom(self._rng.choice(pool))
        text = str(element)[:60].replace("\n", " ")
        if field.is_repeated:
            getattr(message, field.name).append(element)
            return f"{here} += {{ {text} }}"
        getattr(message, field.name).CopyFrom(element)
        return f"{here} = {{ {text} }}"

    def _set_scalar(self, message, field, here):
        value = self._value(field)
        if not field.is_repeated:
            setattr(message, field.name, value)
            return f"{here} = {value!r}"
        held = getattr(message, field.name)
        if len(held) and self._rng.random() < 0.5:
            held[self._rng.randrange(len(held))] = value
        elif len(held) and self._rng.random() < 0.3:
            held.pop()
        else:
            held.append(value)
        return f"{here} is {list(held)}"

    def _value(self, field):
        known = self._values.get(schema.key(field), [])
        if known and self._rng.random() < 0.4:
            return self._rng.choice(known)
        if field.enum_type is not None:
            return self._rng.choice(field.enum_type.values).number
        if field.cpp_type == field.CPPTYPE_BOOL:
            return self._rng.random() < 0.5
        if field.cpp_type == field.CPPTYPE_STRING:
            return self._rng.choice(["", "x", *known])
        if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
            return self._rng.choice(_FLOATS)
        value = self._rng.choice(_INTEGERS)
        unsigned = (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64)
        return abs(value) if field.cpp_type in unsigned else value
