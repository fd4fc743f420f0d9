"""What people run beside the streams: reconcile, check, and the like."""
