"""What tests of several rooms share: servers, observers, ways to wait."""
