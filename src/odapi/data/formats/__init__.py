"""Writers of dataset formats: COCO, Pascal VOC, YOLO, TFRecord."""
