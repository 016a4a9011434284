"""The one picture of the present that page, feeds, API and metrics read."""
