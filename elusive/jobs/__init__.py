"""The jobs, one module a command, each reading as one page: load, compute, write, return a result."""
