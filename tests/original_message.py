"""A config message as the original has it: without the options of odapi."""

from google.protobuf import descriptor_pool, message_factory

from odapi.config.protos import pipeline_pb2


def message_of_the_original():
    """Returns a TrainEvalPipelineConfig that knows no extension, as the original's."""
    pool, waiting, seen = (
        descriptor_pool.DescriptorPool(),
        [pipeline_pb2.DESCRIPTOR],
        [],
    )
    while waiting:
        file = waiting.pop()
        seen.insert(0, file)
        waiting += file.dependencies
    for file in seen:
        pool.AddSerializedFile(file.serialized_pb)
    name = "object_detection.protos.TrainEvalPipelineConfig"
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
