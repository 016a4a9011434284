"""The past judged anew by other settings: looks go in, the alarms that they would have raised come out. Pure."""
