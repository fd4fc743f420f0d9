"""A local stand-in for Customer.io's Data Pipelines API, with its limits and its silences.

The way of a request: `server` receives it, `schedule` may make it fail, `rate` may refuse it,
`read` finds the calls in its body, `judge` decides what becomes of each, `store` keeps them,
`effects` says what they do to people and objects. `questions` answers under `/_sandbox/`.

It shares no code with the client that it tests: a mistake made there must not be excused here.
"""
