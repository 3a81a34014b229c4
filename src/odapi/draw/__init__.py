"""Drawing of images with objects, mosaics and plots, with OpenCV."""
