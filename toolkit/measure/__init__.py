"""Budgets of a device against measurements: each candidate timed beside the fp32 PyTorch teacher."""
