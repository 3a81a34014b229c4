"""Names of loss values, as the TF Object Detection API reports them."""

REGULARIZATION_LOSS = "Loss/regularization_loss"
TOTAL_LOSS = "Loss/total_loss"
