"""
What is counted and told of the traffic, for machines to read.

An exchange that ends costs one call of `traffic.Traffic.count`; whatever takes
longer is done when somebody asks.
"""
