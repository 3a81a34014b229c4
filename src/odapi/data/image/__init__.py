"""Image files and pixels: headers, decoding, warps, colors, resizing."""
