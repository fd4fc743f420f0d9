"""Look at the pipeline's figures every minute, note what is alarming, and tell somebody once."""
