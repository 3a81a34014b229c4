"""AutoAugment for detection: policies, operations, and the augmentation itself."""
