"""The compression pipeline: from an AfriBERTa-style tagger to a verified bundle."""

__version__ = "0.1.0"
