"""The descriptors are the original's interface, field by field."""

import json
import pathlib
import subprocess
import sys

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from odapi.config.protos import (  # noqa: F401  Registers all messages.
    options_pb2,
    pipeline_pb2,
    string_int_label_map_pb2,
    target_assigner_pb2,
)
from requirement import require

_PROTOS = pathlib.Path(options_pb2.__file__).parent
_TYPE_NAMES = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in descriptor_pb2.FieldDescriptorProto.Type.items()
}


@pytest.fixture(scope="module")
def schema(shared):
    return json.loads((shared / "spec/config_schema.json").read_text("utf-8"))


def _message(name):
    return descriptor_pool.Default().FindMessageTypeByName(name)


def _default(field):
    if not field.has_default_value:
        return None
    if field.enum_type is not None:
        return field.enum_type.values_by_number[field.default_value].name
    return field.default_value


def _same_default(mine, theirs):
    if isinstance(theirs, float):
        return mine == pytest.approx(theirs, rel=1e-6)
    return mine == theirs and type(mine) is type(theirs)


def _described(field):
    described = {
        "name": field.name,
        "number": field.number,
        "type": _TYPE_NAMES[field.type],
        "label": "repeated" if field.is_repeated else "optional",
        "oneof": field.containing_oneof and field.containing_oneof.name,
        "deprecated": field.GetOptions().deprecated,
        "type_name": None,
    }
    if field.message_type is not None:
        described["type_name"] = field.message_type.full_name
    if field.enum_type is not None:
        described["type_name"] = field.enum_type.full_name
    return described


def test_schema_has_the_counts_of_the_original(schema):
    assert schema["counts"]["messages"] == len(schema["messages"]) == 166
    assert sum(len(m["fields"]) for m in schema["messages"].values()) == 854


def test_every_field_equals_the_schema(schema):
    for name, message in schema["messages"].items():
        mine = {f.name: f for f in _message(name).fields}
        assert sorted(mine) == sorted(f["name"] for f in message["fields"]), name
        for field in message["fields"]:
            expected = {
                "oneof": None,
                "deprecated": False,
                "type_name": None,
                **{k: v for k, v in field.items() if k not in ("default", "packed")},
            }
            got = _described(mine[field["name"]])
            assert got == {k: expected[k] for k in got}, name
            assert _same_default(_default(mine[field["name"]]), field["default"]), (
                name,
                field,
            )


def test_every_message_has_the_oneofs_ranges_and_reserved_numbers(schema):
    for name, message in schema["messages"].items():
        proto = descriptor_pb2.DescriptorProto()
        _message(name).CopyToProto(proto)
        assert [o.name for o in proto.oneof_decl] == message["oneofs"], name
        for kind, held in (
            ("extension_ranges", proto.extension_range),
            ("reserved_ranges", proto.reserved_range),
        ):
            got = [(r.start, r.end) for r in held]
            expected = [(r["start"], r["end_exclusive"]) for r in message.get(kind, ())]
            assert got == expected, (name, kind)
        assert proto.options.map_entry == message.get("map_entry", False), name


def test_every_enum_equals_the_schema(schema):
    pool = descriptor_pool.Default()
    for name, enum in schema["enums"].items():
        got = [
            {"name": v.name, "number": v.number}
            for v in pool.FindEnumTypeByName(name).values
        ]
        assert got == enum["values"], name


def test_no_message_is_there_that_the_schema_lacks(schema):
    mine = set()
    for path in _PROTOS.glob("*.proto"):
        file = descriptor_pool.Default().FindFileByName(
            f"odapi/config/protos/{path.name}"
        )
        if file.package == schema["package"]:
            waiting = list(file.message_types_by_name.values())
            while waiting:
                message = waiting.pop()
                mine.add(message.full_name)
                waiting += message.nested_types
    assert mine == set(schema["messages"])


def test_regenerating_gives_the_checked_in_code(root, tmp_path):
    require("grpc_tools")
    protos = sorted(_PROTOS.glob("*.proto"))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-Isrc",
            f"--python_out={tmp_path}",
            f"--pyi_out={tmp_path}",
            *(str(path.relative_to(root)) for path in protos),
        ],
        cwd=root,
        check=True,
    )
    made = {p.name: p.read_text("utf-8") for p in tmp_path.rglob("*_pb2.py*")}
    kept = {p.name: p.read_text("utf-8") for p in _PROTOS.glob("*_pb2.py*")}
    assert sorted(made) == sorted(kept)
    stale = [name for name in made if made[name] != kept[name]]
    assert not stale, "run `make protos`"


def test_every_message_and_enum_has_a_comment():
    without = []
    for path in _PROTOS.glob("*.proto"):
        before = ""
        for line in path.read_text("utf-8").splitlines():
            if line.strip().startswith(("message ", "enum ")) and "//" not in before:
                without.append((path.name, line))
            before = line
    assert not without
