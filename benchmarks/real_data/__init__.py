"""The main job on real images, as a user does it: each file is one command."""
