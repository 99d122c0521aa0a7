"""Makes the load: Locust on a thread of its own or in workers, each request counted, each second reported."""
