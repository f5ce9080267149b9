import re
from typing import Any

import django.db.models.deletion
from django.db import migrations, models

# As the portal wrote it, in its own language, before it made the words of the notice.
_SAID = re.compile(r"It stands in the chain of receipts as number (\d+)\.\Z")


def find_notices(apps: Any, schema_editor: Any) -> None:
    """What was announced before keeps its words, and ends as the others do when its phase is moved again."""
    announcement, link = apps.get_model("portal", "Announcement"), apps.get_model("portal", "Link")
    amendments = set(link.objects.filter(kind="amendment").values_list("number", flat=True))
    for each in announcement.objects.filter(title__startswith="Phase "):
        found = _SAID.search(each.text)
        if found and int(found[1]) in amendments:
            each.notice_id = int(found[1])
            each.save(update_fields=["notice"])


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0010_arrivals"),
    ]

    operations = [
        migrations.AddField(
            model_name="announcement",
            name="notice",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="announcements",
                to="portal.link",
                verbose_name="notice",
            ),
        ),
        migrations.RunPython(find_notices, migrations.RunPython.noop),
    ]
