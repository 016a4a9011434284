"""Make the database of a fresh django-helpdesk, with our account, a technician and a customer: once, for every test copies it."""

import os
from pathlib import Path

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
database = Path(os.environ["HELPDESK_DATABASE"])
database.unlink(missing_ok=True)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402 - there are no models before
from helpdesk.models import CustomField, Queue  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

call_command("migrate", verbosity=0)
call_command("loaddata", "emailtemplate.json", verbosity=0)
for slug in ("soporte", "comercial"):
    Queue.objects.create(title=slug.capitalize(), slug=slug, allow_public_submission=True)
CustomField.objects.create(
    name="external_ref", label="Vigía", data_type="varchar", max_length=80, staff_only=True
)
for name, staff in (("vigia", True), ("ana", True), ("carla", False)):
    user = get_user_model().objects.create_user(
        name, f"{name}@nodored.example", f"hunter2-of-{name}", is_staff=staff
    )
    Token.objects.create(user=user, key=f"keyof{name}")
