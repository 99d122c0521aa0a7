"""Load from several processes: Locust's own master and workers, with exact figures and every write booked."""
