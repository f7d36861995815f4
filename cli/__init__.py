"""The command line, installed as `elusive_cli`: thin commands over the jobs of the same names."""
