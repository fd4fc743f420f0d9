"""Delta change feeds to Customer.io.

    Change -> Call -> Message -> Batch -> Outcome -> Record

The map, in the order of the data:

source/     read a change feed, take the net effect of each commit, map it to drafts of calls
core/       what all of it means, pure: feeds, calls, ids, sealing, packing, outcomes, folds
delivery/   send a task's messages: lanes, limits, attempts, breaker, and rows that record it
tables/     outcomes (the one atomic point), the retry queue, books, commands, leases, views
streams/    deliver (a feed's micro-batches) and drain (the queue's ticks), supervised
client/     every call of the API as a method, sent as the streams send
operations/ what people run beside the streams: reconcile, check
sandbox/    a local Customer.io that enforces the real limits
demo/       the whole way, on real data
settings    conf/<target>.yml to one frozen object; keys: the secrets; log: event names; cli
"""
