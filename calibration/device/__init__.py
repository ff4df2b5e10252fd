"""A device measured with standard graphs, and the latency of other artifacts on it predicted from them."""
