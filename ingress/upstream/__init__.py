"""
The endpoint's side: which endpoint serves, over which connection.
"""
