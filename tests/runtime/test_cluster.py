"""The processes of a training: addresses, launchers' variables, values between them."""

import json

import numpy as np
import pytest

from odapi.data.loader.shard import Shard
from odapi.errors import ConfigError
from odapi.runtime.distribution.cluster import Cluster
from odapi.runtime.distribution.environment import find_cluster
from odapi.runtime.distribution.node_list import expand_node_list
from odapi.runtime.distribution.packing import pack, unpack


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("node1", ["node1"]),
        ("node[01-04]", ["node01", "node02", "node03", "node04"]),
        ("a[1,3-4],b", ["a1", "a3", "a4", "b"]),
        ("r[1-2]n[8-9]", ["r1n8", "r1n9", "r2n8", "r2n9"]),
        ("gpu[09-10]-ib,login", ["gpu09-ib", "gpu10-ib", "login"]),
    ],
)
def test_node_lists_expand_in_order(text, hosts):
    assert expand_node_list(text) == hosts


@pytest.mark.parametrize("text", ["node[1-", "node[2-1]", "node[a-b]", "a,,b", "n]"])
def test_a_damaged_node_list_is_refused(text):
    with pytest.raises(ConfigError, match="no list of hosts"):
        expand_node_list(text)


SLURM = {
    "SLURM_JOB_ID": "4097",
    "SLURM_JOB_NODELIST": "node[01-04]",
    "SLURM_NTASKS": "8",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_TASKS_PER_NODE": "2(x4)",
}


def tf_config(kind, index, **cluster):
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


@pytest.mark.parametrize(
    ("flags", "environment", "expected"),
    [
        ({}, {}, None),
        (("h:1", 2, 1), {}, Cluster("h:1", 2, 1)),
        # The port is that of JAX: 61440 + 4097 % 4096.
        ({}, SLURM, Cluster("node01:61441", 8, 3, 1, 2, "SLURM")),
        ({}, SLURM | {"SLURM_NTASKS": "1"}, None),
        ((None, 1, None), SLURM, None),
        (("h:1", None, None), SLURM, Cluster("h:1", 8, 3, 1, 2, "SLURM")),
        (
            {},
            SLURM | {"JAX_COORDINATOR_ADDRESS": "h:9"},
            Cluster("h:9", 8, 3, 1, 2, "JAX_COORDINATOR_ADDRESS"),
        ),
        (
            {},
            tf_config("worker", 1, chief=["a:1"], worker=["b:2", "c:3"]),
            Cluster("a:1", 3, 2, 0, 1, "TF_CONFIG"),
        ),
        ({}, tf_config("worker", 0, worker=["a:1"]), None),
        ({}, tf_config("worker", 0), None),
    ],
)
def test_the_cluster_is_that_of_flags_or_of_the_launcher(flags, environment, expected):
    assert find_cluster(*flags, environment=environment) == expected


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        (("h:1", None, None), {}, "--num-processes: is missing: --coordinator needs"),
        ((None, 2, 0), {}, "--coordinator: is missing"),
        (("h", 2, 0), {}, "HOST:PORT"),
        (("h:99999", 2, 0), {}, "port from 1 to 65535"),
        (("h:1", 2, 2), {}, "--process-id: is 2; with 2 processes .* from 0 to 1"),
        (("h:1", 2, -1), {}, "--process-id: is -1"),
        ((), {"TF_CONFIG": "{"}, "TF_CONFIG: cannot be read"),
        ((), tf_config("ps", 0, worker=["a:1", "b:1"], ps=["c:1"]), "no parameter"),
        ((), SLURM | {"SLURM_PROCID": "x"}, "SLURM_PROCID: is 'x'"),
    ],
)
def test_wrong_clusters_name_what_is_wrong(flags, environment, message):
    with pytest.raises(ConfigError, match=message):
        find_cluster(*flags, environment=environment)


def test_values_pass_unchanged_between_processes():
    value = {"a": [1, 2.5, None, True, "é"], "b": {"c": np.arange(6).reshape(2, 3)}}
    found = unpack(pack(value | {"nothing": np.zeros((0, 4), np.float32)}))
    assert found["a"] == value["a"]
    np.testing.assert_array_equal(found["b"]["c"], value["b"]["c"])
    assert found["nothing"].shape == (0, 4)
    assert found["nothing"].dtype == np.float32


def test_an_object_is_not_sent():
    with pytest.raises(TypeError, match="cannot be sent"):
        pack({"a": np.array([object()])})


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_shards_are_disjoint_and_make_up_the_batches_of_one_process(processes):
    shards = [Shard(i, processes, 8, start=16) for i in range(processes)]
    rows = 8 // processes
    batches = [
        [s.position(batch * rows + row) for s in shards for row in range(rows)]
        for batch in range(3)
    ]
    assert batches == [list(range(16 + 8 * b, 24 + 8 * b)) for b in range(3)]
    positions = [position for s in shards for position in s.positions(21)]
    assert sorted(positions) == list(range(21))
