"""What Prometheus scrapes: the service's own instruments and prepared lines for the checks."""
