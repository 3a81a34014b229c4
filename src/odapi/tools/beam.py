"""Apache Beam pipelines between record files, on one or many machines.

A step is a picklable function of one element. An element with invalid data is skipped
and counted by the kind of the problem.
"""

import collections
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from odapi.errors import DataError, MissingPackageError, OdapiError

_NAMESPACE = "odapi"
_LOG_LEVEL = "--default_sdk_harness_log_level=ERROR"
READ, WRITTEN, SKIPPED = "read", "written", "skipped"


def need_beam() -> Any:
    """Returns the package apache_beam.

    Raises:
        MissingPackageError: It is not installed.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # Beam logs which clouds it cannot reach.
    try:
        import apache_beam
    except ImportError as error:
        raise MissingPackageError("odapi tools", "apache_beam", "beam") from error
    finally:
        logging.disable(before)
    return apache_beam


class Step:
    """A function of one element that skips and counts invalid elements.

    Args:
        function: Returns the new element; raises ValueError or an `OdapiError`.
        many: Whether it returns an iterable of elements.
    """

    def __init__(self, function: Callable[[Any], Any], many: bool = False):
        self.function = function
        self.many = many

    def __call__(self, element: Any) -> Iterable[Any]:
        """Returns the new elements."""
        try:
            made = self.function(element)
            return list(made) if self.many else [made]
        except (ValueError, OdapiError) as error:
            kind = error.problem if isinstance(error, OdapiError) else str(error)
            count(f"{SKIPPED}: {kind}")
            return []


def count(name: str, number: int = 1) -> None:
    """Increments a counter that `run` returns; only within a step."""
    from apache_beam.metrics import Metrics

    Metrics.counter(_NAMESPACE, name).inc(number)


class Records:
    """A pipeline between record files.

    Args:
        arguments: Beam options, for example `["--runner=FlinkRunner"]`.
    """

    def __init__(self, arguments: Sequence[str] = ()):
        beam = need_beam()
        from apache_beam.options.pipeline_options import PipelineOptions

        self._beam = beam
        # Given ones come last and win. Workers log each connection otherwise.
        options = PipelineOptions([_LOG_LEVEL, *arguments])
        self.pipeline = beam.Pipeline(options=options)

    def read(self, pattern: str) -> Any:
        """Returns the serialized records of files.

        Raises:
            DataError: No file matches the pattern.
        """
        from apache_beam.io.filesystems import FileSystems
        from apache_beam.io.tfrecordio import ReadFromTFRecord

        pattern = os.path.expanduser(pattern)
        if not any(m.metadata_list for m in FileSystems.match([pattern])):
            raise DataError(pattern, "no such file")
        found = self.pipeline | "read" >> ReadFromTFRecord(pattern)
        return found | "count read" >> self._beam.Map(_Counted(READ))

    def spread(self, elements: Iterable[Any]) -> Any:
        """Returns a collection of the given elements, distributed over workers."""
        made = self.pipeline | "elements" >> self._beam.Create(list(elements))
        return made | "spread" >> self._beam.Reshuffle()

    def elements(self, elements: Iterable[Any]) -> Any:
        """Returns a collection of the given elements, which are counted."""
        return self.spread(elements) | "count read" >> self._beam.Map(_Counted(READ))

    def apply(
        self, elements: Any, name: str, step: Callable[[Any], Iterable[Any]]
    ) -> Any:
        """Applies a step, or a picklable function to several elements."""
        return elements | name >> self._beam.FlatMap(step)

    def group(self, pairs: Any) -> Any:
        """Groups (key, value) pairs into (key, all values)."""
        return pairs | "group" >> self._beam.GroupByKey()

    def write(self, elements: Any, prefix: str, shards: int = 0) -> None:
        """Writes serialized records to `prefix-00000-of-0000N`.

        Args:
            elements: Bytes.
            prefix: Of the files; its folder is created.
            shards: Number of files; 0: chosen by the runner.
        """
        from apache_beam.io.tfrecordio import WriteToTFRecord

        prefix = os.path.expanduser(prefix)
        if "://" not in prefix:
            os.makedirs(os.path.dirname(prefix) or ".", exist_ok=True)
        spread = elements | "shuffle" >> self._beam.Reshuffle()
        counted = spread | "count written" >> self._beam.Map(_Counted(WRITTEN))
        _ = counted | "write" >> WriteToTFRecord(prefix, num_shards=shards)

    def run(self) -> dict[str, int]:
        """Runs the pipeline to the end and returns the counters."""
        result = self.pipeline.run()
        result.wait_until_finish()
        numbers: collections.Counter[str] = collections.Counter()
        for counter in result.metrics().query()["counters"]:
            if counter.key.metric.namespace == _NAMESPACE:
                numbers[counter.key.metric.name] += counter.result
        return dict(sorted(numbers.items()))


class _Counted:
    def __init__(self, name: str):
        self.name = name

    def __call__(self, element: Any) -> Any:
        count(self.name)
        return element
