"""
Tests for etc/chart: what Helm makes of it, its dashboards and its alerts.
"""
