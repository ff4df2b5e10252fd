"""The web app that a bundle is tried and measured with: its sources, what builds it and what serves it."""
