"""Change feeds to drafts, in Spark: locate, check, start, read, net, count, isolate, draft."""
