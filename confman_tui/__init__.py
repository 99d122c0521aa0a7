"""confman-tui: benchmark a Confman cluster from the terminal and watch its elections under load."""

__version__ = "0.1.0"
