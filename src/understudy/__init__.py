"""Understudy keeps the AI in a product working when a model provider isn't."""

__all__ = ["__version__"]

__version__ = "0.1.0"
