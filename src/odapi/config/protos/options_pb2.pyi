from odapi.config.protos import augmentation_pb2 as _augmentation_pb2
from odapi.config.protos import pipeline_pb2 as _pipeline_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrackerMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ONLINE: _ClassVar[TrackerMode]
    OFFLINE: _ClassVar[TrackerMode]
ONLINE: TrackerMode
OFFLINE: TrackerMode
OPTIONS_FIELD_NUMBER: _ClassVar[int]
options: _descriptor.FieldDescriptor

class Options(_message.Message):
    __slots__ = ("seed", "train_data", "eval_data", "precision", "backbone_weights", "evaluation", "checkpoints", "early_stopping", "data_loading", "nms_candidates", "deterministic", "batch_norm_decay", "roi_align", "recalibrate_batch_norm", "augmentations", "sampling", "trackers", "gradient_accumulation", "rematerialization", "max_hours", "health")
    class Precision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FLOAT32: _ClassVar[Options.Precision]
        BFLOAT16: _ClassVar[Options.Precision]
        FLOAT16: _ClassVar[Options.Precision]
        AUTO: _ClassVar[Options.Precision]
    FLOAT32: Options.Precision
    BFLOAT16: Options.Precision
    FLOAT16: Options.Precision
    AUTO: Options.Precision
    SEED_FIELD_NUMBER: _ClassVar[int]
    TRAIN_DATA_FIELD_NUMBER: _ClassVar[int]
    EVAL_DATA_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    BACKBONE_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    EARLY_STOPPING_FIELD_NUMBER: _ClassVar[int]
    DATA_LOADING_FIELD_NUMBER: _ClassVar[int]
    NMS_CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    DETERMINISTIC_FIELD_NUMBER: _ClassVar[int]
    BATCH_NORM_DECAY_FIELD_NUMBER: _ClassVar[int]
    ROI_ALIGN_FIELD_NUMBER: _ClassVar[int]
    RECALIBRATE_BATCH_NORM_FIELD_NUMBER: _ClassVar[int]
    AUGMENTATIONS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    TRACKERS_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_ACCUMULATION_FIELD_NUMBER: _ClassVar[int]
    REMATERIALIZATION_FIELD_NUMBER: _ClassVar[int]
    MAX_HOURS_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    seed: int
    train_data: str
    eval_data: str
    precision: Options.Precision
    backbone_weights: str
    evaluation: Evaluation
    checkpoints: Checkpoints
    early_stopping: EarlyStopping
    data_loading: DataLoading
    nms_candidates: int
    deterministic: bool
    batch_norm_decay: float
    roi_align: bool
    recalibrate_batch_norm: int
    augmentations: _containers.RepeatedCompositeFieldContainer[_augmentation_pb2.Augmentation]
    sampling: Sampling
    trackers: Trackers
    gradient_accumulation: int
    rematerialization: bool
    max_hours: float
    health: Health
    def __init__(self, seed: _Optional[int] = ..., train_data: _Optional[str] = ..., eval_data: _Optional[str] = ..., precision: _Optional[_Union[Options.Precision, str]] = ..., backbone_weights: _Optional[str] = ..., evaluation: _Optional[_Union[Evaluation, _Mapping]] = ..., checkpoints: _Optional[_Union[Checkpoints, _Mapping]] = ..., early_stopping: _Optional[_Union[EarlyStopping, _Mapping]] = ..., data_loading: _Optional[_Union[DataLoading, _Mapping]] = ..., nms_candidates: _Optional[int] = ..., deterministic: _Optional[bool] = ..., batch_norm_decay: _Optional[float] = ..., roi_align: _Optional[bool] = ..., recalibrate_batch_norm: _Optional[int] = ..., augmentations: _Optional[_Iterable[_Union[_augmentation_pb2.Augmentation, _Mapping]]] = ..., sampling: _Optional[_Union[Sampling, _Mapping]] = ..., trackers: _Optional[_Union[Trackers, _Mapping]] = ..., gradient_accumulation: _Optional[int] = ..., rematerialization: _Optional[bool] = ..., max_hours: _Optional[float] = ..., health: _Optional[_Union[Health, _Mapping]] = ...) -> None: ...

class Evaluation(_message.Message):
    __slots__ = ("every_n_steps", "best_metric", "max_images", "estimate_keypoint_sigmas")
    EVERY_N_STEPS_FIELD_NUMBER: _ClassVar[int]
    BEST_METRIC_FIELD_NUMBER: _ClassVar[int]
    MAX_IMAGES_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_KEYPOINT_SIGMAS_FIELD_NUMBER: _ClassVar[int]
    every_n_steps: int
    best_metric: str
    max_images: int
    estimate_keypoint_sigmas: bool
    def __init__(self, every_n_steps: _Optional[int] = ..., best_metric: _Optional[str] = ..., max_images: _Optional[int] = ..., estimate_keypoint_sigmas: _Optional[bool] = ...) -> None: ...

class Checkpoints(_message.Message):
    __slots__ = ("every_n_steps", "keep")
    EVERY_N_STEPS_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    every_n_steps: int
    keep: int
    def __init__(self, every_n_steps: _Optional[int] = ..., keep: _Optional[int] = ...) -> None: ...

class EarlyStopping(_message.Message):
    __slots__ = ("patience", "min_delta")
    PATIENCE_FIELD_NUMBER: _ClassVar[int]
    MIN_DELTA_FIELD_NUMBER: _ClassVar[int]
    patience: int
    min_delta: float
    def __init__(self, patience: _Optional[int] = ..., min_delta: _Optional[float] = ...) -> None: ...

class Health(_message.Message):
    __slots__ = ("allow", "save_diverged_step")
    ALLOW_FIELD_NUMBER: _ClassVar[int]
    SAVE_DIVERGED_STEP_FIELD_NUMBER: _ClassVar[int]
    allow: _containers.RepeatedScalarFieldContainer[str]
    save_diverged_step: bool
    def __init__(self, allow: _Optional[_Iterable[str]] = ..., save_diverged_step: _Optional[bool] = ...) -> None: ...

class Sampling(_message.Message):
    __slots__ = ("fraction", "repeat_factor_threshold", "class_weights", "single_class")
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    REPEAT_FACTOR_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    CLASS_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    SINGLE_CLASS_FIELD_NUMBER: _ClassVar[int]
    fraction: float
    repeat_factor_threshold: float
    class_weights: _containers.RepeatedCompositeFieldContainer[ClassWeight]
    single_class: bool
    def __init__(self, fraction: _Optional[float] = ..., repeat_factor_threshold: _Optional[float] = ..., class_weights: _Optional[_Iterable[_Union[ClassWeight, _Mapping]]] = ..., single_class: _Optional[bool] = ...) -> None: ...

class ClassWeight(_message.Message):
    __slots__ = ("name", "weight")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: float
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class DataLoading(_message.Message):
    __slots__ = ("threads", "prefetch", "size_buckets", "cache_mb", "processes", "drop_unknown_classes", "allow", "max_image_megapixels", "label_hierarchy")
    THREADS_FIELD_NUMBER: _ClassVar[int]
    PREFETCH_FIELD_NUMBER: _ClassVar[int]
    SIZE_BUCKETS_FIELD_NUMBER: _ClassVar[int]
    CACHE_MB_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    DROP_UNKNOWN_CLASSES_FIELD_NUMBER: _ClassVar[int]
    ALLOW_FIELD_NUMBER: _ClassVar[int]
    MAX_IMAGE_MEGAPIXELS_FIELD_NUMBER: _ClassVar[int]
    LABEL_HIERARCHY_FIELD_NUMBER: _ClassVar[int]
    threads: int
    prefetch: int
    size_buckets: int
    cache_mb: int
    processes: int
    drop_unknown_classes: bool
    allow: _containers.RepeatedScalarFieldContainer[str]
    max_image_megapixels: int
    label_hierarchy: str
    def __init__(self, threads: _Optional[int] = ..., prefetch: _Optional[int] = ..., size_buckets: _Optional[int] = ..., cache_mb: _Optional[int] = ..., processes: _Optional[int] = ..., drop_unknown_classes: _Optional[bool] = ..., allow: _Optional[_Iterable[str]] = ..., max_image_megapixels: _Optional[int] = ..., label_hierarchy: _Optional[str] = ...) -> None: ...

class Trackers(_message.Message):
    __slots__ = ("tensorboard", "clearml", "mlflow", "wandb", "name", "tags", "checkpoints", "close_seconds")
    TENSORBOARD_FIELD_NUMBER: _ClassVar[int]
    CLEARML_FIELD_NUMBER: _ClassVar[int]
    MLFLOW_FIELD_NUMBER: _ClassVar[int]
    WANDB_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    CLOSE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    tensorboard: TensorBoardTracker
    clearml: ClearMLTracker
    mlflow: MLflowTracker
    wandb: WandbTracker
    name: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    checkpoints: bool
    close_seconds: int
    def __init__(self, tensorboard: _Optional[_Union[TensorBoardTracker, _Mapping]] = ..., clearml: _Optional[_Union[ClearMLTracker, _Mapping]] = ..., mlflow: _Optional[_Union[MLflowTracker, _Mapping]] = ..., wandb: _Optional[_Union[WandbTracker, _Mapping]] = ..., name: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., checkpoints: _Optional[bool] = ..., close_seconds: _Optional[int] = ...) -> None: ...

class TensorBoardTracker(_message.Message):
    __slots__ = ("enabled",)
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    def __init__(self, enabled: _Optional[bool] = ...) -> None: ...

class ClearMLTracker(_message.Message):
    __slots__ = ("project", "mode", "output_uri")
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_URI_FIELD_NUMBER: _ClassVar[int]
    project: str
    mode: TrackerMode
    output_uri: str
    def __init__(self, project: _Optional[str] = ..., mode: _Optional[_Union[TrackerMode, str]] = ..., output_uri: _Optional[str] = ...) -> None: ...

class MLflowTracker(_message.Message):
    __slots__ = ("tracking_uri", "experiment")
    TRACKING_URI_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    tracking_uri: str
    experiment: str
    def __init__(self, tracking_uri: _Optional[str] = ..., experiment: _Optional[str] = ...) -> None: ...

class WandbTracker(_message.Message):
    __slots__ = ("project", "entity", "mode", "group")
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    project: str
    entity: str
    mode: TrackerMode
    group: str
    def __init__(self, project: _Optional[str] = ..., entity: _Optional[str] = ..., mode: _Optional[_Union[TrackerMode, str]] = ..., group: _Optional[str] = ...) -> None: ...
