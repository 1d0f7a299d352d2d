"""
What is counted and told of the traffic, for machines to read: metrics and the access log.

An exchange that ends costs one call of `recorder.Recorder.record`; whatever takes
longer is done when somebody asks, or by another thread.
"""
