from typing import Any

from django.db import migrations

import striate.portal.models.people
from striate.errors import InputError
from striate.portal.models.people import key_of

_KEYS = (("user", "username", "name_key"), ("user", "email", "email_key"), ("team", "name", "name_key"))


def fill_keys(apps: Any, schema_editor: Any) -> None:
    """Compute the keys of the names that are there."""
    for model, field, key in _KEYS:
        rows = apps.get_model("portal", model).objects
        seen: dict[str, str] = {}
        for number, text in rows.order_by("pk").values_list("pk", field):
            made = key_of(field, text)
            if made in seen:
                raise InputError(
                    f"There are two {model}s whose {field} is taken for the same, {seen[made]!r} and {text!r}: rename one of "
                    "them with the earlier version of striate, then upgrade."
                )
            seen[made] = text
            rows.filter(pk=number).update(**{key: made})


def _field(of: str, **options: Any) -> Any:
    return striate.portal.models.people.NameKey(of=of, max_length=600, editable=False, **options)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0011_announced_notices"),
    ]

    operations = [
        *(migrations.AddField(model, key, _field(field, unique=False, null=True)) for model, field, key in _KEYS),
        migrations.RunPython(fill_keys, migrations.RunPython.noop),
        *(migrations.AlterField(model, key, _field(field, unique=True)) for model, field, key in _KEYS),
        migrations.RemoveConstraint("user", "one_account_an_address"),
        migrations.RemoveConstraint("team", "one_team_a_name"),
    ]
