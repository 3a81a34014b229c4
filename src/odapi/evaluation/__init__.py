"""A trained detector on images: its numbers, its pictures, its predictions."""
