"""Take in one mail to a queue, as django-helpdesk's own collector does, and print the number of its ticket: `receive.py QUEUE < mail`."""

import logging
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from helpdesk.email import extract_email_metadata  # noqa: E402 - there are no models before
from helpdesk.models import Queue  # noqa: E402

ticket = extract_email_metadata(sys.stdin.read(), Queue.objects.get(slug=sys.argv[1]), logging.getLogger())
sys.stdout.write(str(ticket.id))
