"""Labelled and unlabelled text: hub, folder, built-in."""
