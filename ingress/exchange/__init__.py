"""
One request and its response, between the client's side and the endpoint's side.
"""
