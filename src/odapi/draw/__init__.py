"""Images of images, boxes and curves. Knows no model; draws with OpenCV alone."""
