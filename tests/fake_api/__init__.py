"""
That `tests.support.fake_api` is like a real API server.
"""
