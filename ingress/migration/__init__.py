"""
What an installation of ingress-nginx says beside its Ingresses, and what that is here.

::

    arguments ─ command_line ─► values ─ flag_settings ─► settings of our configuration
                    ▲                                  └► remarks
               flag_table

`ingress.migration.flags` has the functions for the command line.

The move of a whole installation: `raw` reads objects of any kind, and `helm` makes them of the
values of ingress-nginx's chart. `controller` finds what belongs together: a workload with its
flags, ConfigMaps, classes, Services. `configuration`, `workload`, `services`, `config_maps` and
`helm_values` judge each part and carry it over, `manifests` writes the result, and a `report` says
all of it. Nothing here reads files, or speaks with a cluster.
"""
