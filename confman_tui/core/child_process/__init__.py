"""Child processes that run a module of this package: one way to start them, to talk to them and to end them.

- `start`: the program's side. It starts a child in which no secret can be seen, and that ends with the program.
- `inside`: the child's side. It ties the child to the program and reads what the child must know first.
- `pipes`: what goes over the pipes between the two: typed messages, one on each line.
"""
