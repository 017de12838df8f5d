"""The command line: arguments come in, an answer on stdout and an exit code go out.

`boundary` runs the program and words every failure once; `program` names the commands, the other
modules hold them. stdout carries answers only, everything else goes to stderr.

Commands import what they need when they run: importing mcp alone takes half a second, and
`podium --help` must not pay for it. Those imports are the ones marked PLC0415.
"""

from podium.cli.boundary import main

__all__ = ["main"]
