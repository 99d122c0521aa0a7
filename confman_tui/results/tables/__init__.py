"""Results as text for a terminal: tables of at most 100 columns and the sentences below them."""
