"""What tests of several folders share: servers, observers, ways to wait."""
