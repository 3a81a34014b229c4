"""Installs the wheel in fresh environments, one backend each, and runs it there.

python run_wheel.py [JOBS]

Each backend is alone in its environment, outside of the repository, on one of the
supported Pythons that are installed; three backends take turns with them.
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from build_wheel import ROOT, build_wheel

# Torch first: its builds for CPUs may be there for the first Python only.
BACKENDS = ("torch", "tensorflow", "jax")
EXTRAS = {"tensorflow": "tensorflow-cpu"}
PYTHONS = ("python3.11", "python3.12", "python3.13")
SHORT = [
    "train_config.num_steps=2",
    "train_config.batch_size=2",
    "eval_config.batch_size=2",
    "model.ssd.box_predictor.weight_shared_convolutional_box_predictor.depth=8",
    "model.ssd.feature_extractor.fpn.additional_layer_depth=8",
]
# What must not be printed: noise of libraries, advice about other backends.
NOISE = ("Traceback", "WARNING", "oneDNN", "profiler", "absl")


class Environment:
    """A fresh environment with one backend.

    Args:
        folder: Its folder, outside of the repository.
        backend: The backend.
    """

    def __init__(self, folder: pathlib.Path, backend: str):
        self.folder, self.backend = folder, backend
        self.python = folder / "env" / "bin" / "python"
        self.variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KERAS_", "PYTHON", "TF_", "VIRTUAL_ENV"))
        } | {
            "KERAS_HOME": str(folder / "keras"),
            "OMP_NUM_THREADS": "1",  # Of torch, whose threads wait by spinning.
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def install(self, wheel: pathlib.Path, python: str) -> None:
        """Installs the wheel with the extra of the backend, at locked versions."""
        uv = [str(pathlib.Path(sys.executable).with_name("uv")), "--quiet"]
        self._run([*uv, "venv", "--python", python, str(self.folder / "env")])
        extra = EXTRAS.get(self.backend, self.backend)
        locks = [ROOT / "requirements" / n for n in ("lock.txt", "torch.txt")]
        links = os.environ.get("PIP_FIND_LINKS", "").split()
        self._run([
            *uv, "pip", "install", "--python", str(self.python), f"{wheel}[{extra}]",
            *(f"--constraint={lock}" for lock in locks),
            *(f"--find-links={link}" for link in links),
        ])  # fmt: skip

    def check(self) -> None:
        """Runs quickstart, eval and predict; fails on wrong results and on noise."""
        code = (
            "import importlib.util as u, odapi; print(odapi.__file__, "
            f"[b for b in {BACKENDS} if u.find_spec(b)])"
        )
        place = self._run([str(self.python), "-c", code]).stdout.split(maxsplit=1)
        expect(place[0].startswith(str(self.folder)), place[0])
        expect(place[1].strip() == str([self.backend]), place[1])
        overrides = [word for text in SHORT for word in ("--set", text)]
        summary = self._odapi(
            "quickstart", "--output", "q", "--train-images", "4", "--eval-images", "2",
            *overrides,
        )  # fmt: skip
        expect(summary["backend"] == self.backend, summary)
        exported = summary["difference"] is not None
        expect(exported == (self.backend == "tensorflow"), summary)
        result = self._odapi("eval", "q/model")
        expect(result["num_images"] == 2, result)
        expect(result["metrics"].keys() == summary["metrics"].keys(), result)
        arguments = ["q/data/val", "--output", "found", "--min-score", "0"]
        found = self._odapi("predict", "q/model", *arguments)
        drawn = list((self.folder / "found").rglob("*.jpg"))
        expect(bool(found) and len(drawn) == 2, found)

    def _odapi(self, *arguments: str) -> dict:
        """Returns the JSON document that a subcommand prints."""
        command = [str(self.python.with_name("odapi")), *arguments, "--json"]
        done = self._run(command)
        noise = [line for line in done.stderr.splitlines() if is_noise(line)]
        expect(not noise, "\n".join(noise))
        named = f"Backend: {self.backend} (the only one installed)"
        if self.backend == "tensorflow":
            named = "Backend: tensorflow (the default)"
        expect(named in done.stderr.splitlines(), done.stderr)
        return json.loads(done.stdout)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        expect(done.returncode == 0, f"{command}: {done.returncode}\n{done.stderr}")
        return done


def installed_pythons() -> list[str]:
    """Returns one Python of each supported version that is installed.

    Those of pyenv have a name on the path also where it does not run.
    """
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found = []
    for name in PYTHONS:
        version = name.removeprefix("python")
        known = sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"))
        runs = (path for path in [shutil.which(name), *map(str, known)] if path)
        if working := next((path for path in runs if works(path)), None):
            found.append(working)
    return found or [sys.executable]


def works(python: str) -> bool:
    code = "import ensurepip, ssl, sqlite3"
    done = subprocess.run([python, "-c", code], capture_output=True, check=False)
    return done.returncode == 0


def is_noise(line: str) -> bool:
    return any(word in line for word in NOISE)


def expect(condition: bool, found: object) -> None:
    if not condition:
        raise AssertionError(str(found))


def run(wheel: pathlib.Path, backend: str, python: str) -> str:
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"odapi-{backend}-") as folder:
        environment = Environment(pathlib.Path(folder).resolve(), backend)
        environment.install(wheel, python)
        installed = time.monotonic() - start
        environment.check()
    seconds = time.monotonic() - start
    return f"{backend} on {python}: {seconds:.0f} s, installed in {installed:.0f} s"


def main() -> None:
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    pythons = installed_pythons()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="odapi-wheel-") as folder:
        wheel = build_wheel(pathlib.Path(folder))
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            runs = {
                backend: pool.submit(run, wheel, backend, pythons[i % len(pythons)])
                for i, backend in enumerate(BACKENDS)
            }
        for backend, future in runs.items():
            error = future.exception()
            failed += error is not None
            print(f"{backend} FAILED: {error}" if error else future.result())
    print(f"wheel: {len(runs) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
