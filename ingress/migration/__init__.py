"""
What an installation of ingress-nginx says beside its Ingresses, and what that is here.

::

    arguments ─ command_line ─► values ─ flag_settings ─► settings of our configuration
                    ▲                                  └► remarks
               flag_table

Nothing here reads files or objects: `ingress.migration.flags` has the functions.
"""
