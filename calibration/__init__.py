"""Calibration samples for static int8 and temperature scaling of confidences."""
