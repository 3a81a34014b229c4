"""SavedModels: writing with the original's signatures, and running those of anyone."""

from odapi.exporters.saved_model.saved_model_predictor import (
    SavedModelPredictor as SavedModelPredictor,
)
