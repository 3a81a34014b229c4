"""Search of hyperparameters: trials are trainings in processes of their own."""
