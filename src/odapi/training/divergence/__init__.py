"""Steps whose losses or gradients are not finite: saved, repeated and explained."""
