"""The wheel has every tracked file of the package, and nothing else."""

import zipfile

from build_wheel import build_wheel, tracked_files


def test_the_wheel_has_the_tracked_files(tmp_path):
    wheel = build_wheel(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        (entry_points,) = (n for n in archive.namelist() if n.endswith("points.txt"))
        commands = archive.read(entry_points).decode()
    tracked = {n.removeprefix("src/") for n in tracked_files() if n.startswith("src/")}
    assert sorted(tracked - names) == []
    assert sorted(names - tracked) == []
    # The test itself: data files of each kind are among them.
    assert {
        "odapi/py.typed",
        "odapi/quickstart/pipeline.config",
        "odapi/zoo/facts/zoo.json",
        "odapi/build/templates/retinanet.config",
        "odapi/config/protos/pipeline.proto",
    } <= names
    assert commands == "[console_scripts]\nodapi = odapi.cli.start:main\n"
