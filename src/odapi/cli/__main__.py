"""`python -m odapi.cli` is the command `odapi`."""

from odapi.cli.start import main

main()
