"""TFLite: writing and quantizing, and running in LiteRT."""
