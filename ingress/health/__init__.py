"""
Active health checks: the control plane asks endpoints, and publishes Snapshots without those that
do not answer (docs/adr/0048-health-checks.md).
"""
