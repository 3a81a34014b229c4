from odapi.config.protos import preprocessor_pb2 as _preprocessor_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Augmentation(_message.Message):
    __slots__ = ("step", "random_mosaic", "random_mixup", "random_copy_paste", "random_erasing", "random_perspective", "random_blur", "random_noise", "close_after")
    STEP_FIELD_NUMBER: _ClassVar[int]
    RANDOM_MOSAIC_FIELD_NUMBER: _ClassVar[int]
    RANDOM_MIXUP_FIELD_NUMBER: _ClassVar[int]
    RANDOM_COPY_PASTE_FIELD_NUMBER: _ClassVar[int]
    RANDOM_ERASING_FIELD_NUMBER: _ClassVar[int]
    RANDOM_PERSPECTIVE_FIELD_NUMBER: _ClassVar[int]
    RANDOM_BLUR_FIELD_NUMBER: _ClassVar[int]
    RANDOM_NOISE_FIELD_NUMBER: _ClassVar[int]
    CLOSE_AFTER_FIELD_NUMBER: _ClassVar[int]
    step: _preprocessor_pb2.PreprocessingStep
    random_mosaic: RandomMosaic
    random_mixup: RandomMixUp
    random_copy_paste: RandomCopyPaste
    random_erasing: RandomErasing
    random_perspective: RandomPerspective
    random_blur: RandomBlur
    random_noise: RandomNoise
    close_after: int
    def __init__(self, step: _Optional[_Union[_preprocessor_pb2.PreprocessingStep, _Mapping]] = ..., random_mosaic: _Optional[_Union[RandomMosaic, _Mapping]] = ..., random_mixup: _Optional[_Union[RandomMixUp, _Mapping]] = ..., random_copy_paste: _Optional[_Union[RandomCopyPaste, _Mapping]] = ..., random_erasing: _Optional[_Union[RandomErasing, _Mapping]] = ..., random_perspective: _Optional[_Union[RandomPerspective, _Mapping]] = ..., random_blur: _Optional[_Union[RandomBlur, _Mapping]] = ..., random_noise: _Optional[_Union[RandomNoise, _Mapping]] = ..., close_after: _Optional[int] = ...) -> None: ...

class RandomMosaic(_message.Message):
    __slots__ = ("probability", "min_scale", "max_scale", "overlap_thresh")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MIN_SCALE_FIELD_NUMBER: _ClassVar[int]
    MAX_SCALE_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_THRESH_FIELD_NUMBER: _ClassVar[int]
    probability: float
    min_scale: float
    max_scale: float
    overlap_thresh: float
    def __init__(self, probability: _Optional[float] = ..., min_scale: _Optional[float] = ..., max_scale: _Optional[float] = ..., overlap_thresh: _Optional[float] = ...) -> None: ...

class RandomMixUp(_message.Message):
    __slots__ = ("probability", "alpha")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    probability: float
    alpha: float
    def __init__(self, probability: _Optional[float] = ..., alpha: _Optional[float] = ...) -> None: ...

class RandomCopyPaste(_message.Message):
    __slots__ = ("probability", "max_objects", "overlap_thresh")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MAX_OBJECTS_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_THRESH_FIELD_NUMBER: _ClassVar[int]
    probability: float
    max_objects: int
    overlap_thresh: float
    def __init__(self, probability: _Optional[float] = ..., max_objects: _Optional[int] = ..., overlap_thresh: _Optional[float] = ...) -> None: ...

class RandomErasing(_message.Message):
    __slots__ = ("probability", "min_area", "max_area", "max_rectangles")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MIN_AREA_FIELD_NUMBER: _ClassVar[int]
    MAX_AREA_FIELD_NUMBER: _ClassVar[int]
    MAX_RECTANGLES_FIELD_NUMBER: _ClassVar[int]
    probability: float
    min_area: float
    max_area: float
    max_rectangles: int
    def __init__(self, probability: _Optional[float] = ..., min_area: _Optional[float] = ..., max_area: _Optional[float] = ..., max_rectangles: _Optional[int] = ...) -> None: ...

class RandomPerspective(_message.Message):
    __slots__ = ("probability", "max_rotation", "max_shear", "min_scale", "max_scale", "max_translation", "max_perspective", "overlap_thresh")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MAX_ROTATION_FIELD_NUMBER: _ClassVar[int]
    MAX_SHEAR_FIELD_NUMBER: _ClassVar[int]
    MIN_SCALE_FIELD_NUMBER: _ClassVar[int]
    MAX_SCALE_FIELD_NUMBER: _ClassVar[int]
    MAX_TRANSLATION_FIELD_NUMBER: _ClassVar[int]
    MAX_PERSPECTIVE_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_THRESH_FIELD_NUMBER: _ClassVar[int]
    probability: float
    max_rotation: float
    max_shear: float
    min_scale: float
    max_scale: float
    max_translation: float
    max_perspective: float
    overlap_thresh: float
    def __init__(self, probability: _Optional[float] = ..., max_rotation: _Optional[float] = ..., max_shear: _Optional[float] = ..., min_scale: _Optional[float] = ..., max_scale: _Optional[float] = ..., max_translation: _Optional[float] = ..., max_perspective: _Optional[float] = ..., overlap_thresh: _Optional[float] = ...) -> None: ...

class RandomBlur(_message.Message):
    __slots__ = ("probability", "max_kernel_size", "motion_probability")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MAX_KERNEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    MOTION_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    probability: float
    max_kernel_size: int
    motion_probability: float
    def __init__(self, probability: _Optional[float] = ..., max_kernel_size: _Optional[int] = ..., motion_probability: _Optional[float] = ...) -> None: ...

class RandomNoise(_message.Message):
    __slots__ = ("probability", "max_stddev")
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MAX_STDDEV_FIELD_NUMBER: _ClassVar[int]
    probability: float
    max_stddev: float
    def __init__(self, probability: _Optional[float] = ..., max_stddev: _Optional[float] = ...) -> None: ...
