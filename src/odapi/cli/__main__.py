"""`python -m odapi.cli` is the command `odapi`."""

from odapi.cli.main import main

main()
