"""Signals are never lost, and end a command within seconds."""

import gc
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import odapi
from odapi.runtime.interrupts import Interrupted, Interrupts


def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)
    time.sleep(1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_raises(number):
    before = signal.getsignal(number), sys.unraisablehook
    with pytest.raises(Interrupted) as caught, Interrupts() as interrupts:
        send(number)
    assert (caught.value.number, interrupts.requested) == (number, True)
    assert (signal.getsignal(number), sys.unraisablehook) == before


def test_within_a_shield_the_first_signal_is_recorded_and_the_second_raises():
    notes = []
    with pytest.raises(Interrupted), Interrupts() as interrupts:
        interrupts.note = notes.append
        interrupts.shield()
        send()
        assert (interrupts.requested, interrupts.aborted) == (True, False)
        with pytest.raises(Interrupted), interrupts.interruptible():
            raise AssertionError("a signal that came before does not raise")
        send()
    assert interrupts.aborted
    assert notes == [
        "SIGINT: stopping after this step and saving; a second signal aborts"
    ]


def test_a_signal_in_a_garbage_collection_callback_is_raised_again():
    """As in `_xla_gc_callback` of JAX, whose errors Python ignores."""
    sent = []

    def callback(phase, info):
        if not sent:
            sent.append(phase)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    gc.callbacks.append(callback)
    try:
        with pytest.raises(Interrupted), Interrupts() as interrupts:
            gc.collect()
            time.sleep(5)
            raise AssertionError("swallowed")
    finally:
        gc.callbacks.remove(callback)
    assert interrupts.requested and not interrupts.aborted


def test_a_signal_in_a_destructor_is_raised_again():
    class Dying:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    with pytest.raises(Interrupted), Interrupts():
        Dying()
        time.sleep(5)
        raise AssertionError("swallowed")


@pytest.fixture
def command(tmp_path):
    """Starts a command `odapi` whose subcommands are the given code."""
    started = []

    def start(body):
        started.append(_started(tmp_path / "main.py", body))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _started(main, body):
    main.write_text("def main():\n" + textwrap.indent(textwrap.dedent(body), "    "))
    code = """
        import sys, importlib.util
        from odapi.cli import start
        spec = importlib.util.spec_from_file_location("odapi.cli.main", sys.argv[1])
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules["odapi.cli.main"] = module
        start.main()
    """
    source = os.path.dirname(os.path.dirname(odapi.__file__))
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(main)],
        env=os.environ | {"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# Stays in native code without the GIL, as a compilation does: no handler runs.
NATIVE = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 2_000_000_000)"
# One line, for a `try`: the signal must not come between `ready` and the handler.
SLEEP = "import time; print('ready', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    ("body", "number", "code", "said"),
    [
        (SLEEP, signal.SIGINT, 130, "Interrupted.\n"),
        (SLEEP, signal.SIGTERM, 143, "Interrupted.\n"),
        # Typer makes an exit code of the error, a broken import another error.
        (
            f"import sys\ntry: {SLEEP}\nexcept KeyboardInterrupt: sys.exit(130)",
            signal.SIGTERM,
            143,
            "Interrupted.\n",
        ),
        (
            f"try: {SLEEP}\nexcept KeyboardInterrupt: raise ImportError('half')",
            signal.SIGINT,
            130,
            "Interrupted.\n",
        ),
        (
            f"import sys\ntry: {SLEEP}\nexcept KeyboardInterrupt: sys.exit(0)",
            signal.SIGINT,
            0,
            "",
        ),
    ],
)
def test_a_command_ends_with_a_message_and_an_exit_code(
    command, body, number, code, said
):
    process = command(body)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (code, said)


def wait_for_native_code(process):
    """Waits until the code after `ready` has used the processor for a while."""
    if not os.path.isdir("/proc/self"):
        time.sleep(2)
        return
    began = cpu_seconds(process)
    deadline = time.monotonic() + 60
    while cpu_seconds(process) < began + 0.2 and time.monotonic() < deadline:
        time.sleep(0.05)


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1]
    return int(fields.split()[11]) / os.sysconf("SC_CLK_TCK")


def test_a_command_ends_within_native_code(command):
    shorter = "import odapi.runtime.interrupts as i; i._GRACE_SECONDS = 0.5\n"
    process = command(f"{shorter}print('ready', flush=True)\n{NATIVE}")
    assert process.stdout.readline() == "ready\n"
    wait_for_native_code(process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, "Interrupted.\n")


def test_shielded_native_code_ends_with_the_second_signal(command):
    body = f"""
        import odapi.runtime.interrupts as i; i._GRACE_SECONDS = 0.5
        i.Interrupts().shield()
        print('ready', flush=True)
        {NATIVE}
    """
    process = command(body)
    assert process.stdout.readline() == "ready\n"
    wait_for_native_code(process)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, "Interrupted.\n")
