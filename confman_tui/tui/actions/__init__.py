"""The app's ``action_…`` methods by subject: what Textual dispatches to for a key, a click or the palette."""
