"""
The pages of the admin listener as HTML.

::

    value ─► a view ─► markup ─► frame ─► pieces

A view makes HTML of the same value that is sent as JSON. Nothing is decided here. Scripts
only replace parts of a page by newer ones from the server: without them everything works,
and everything is escaped in one place (`markup`).
"""
