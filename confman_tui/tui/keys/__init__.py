"""What the keys are, what they do now, and how a person changes them."""
