"""The torch-free tagger that ships inside a bundle: standard library, numpy, onnxruntime, tokenizers."""
