"""Pure: values in, values out. No Spark, no clock, no network, no environment."""
