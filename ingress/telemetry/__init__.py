"""
Metrics and the access log: what machines read about the traffic.

The end of an exchange costs one call of `recorder.Recorder.record`. Longer work is done
when metrics are scraped, or in another thread.
"""
