from typing import Any

import django.utils.timezone
from django.db import migrations, models


def sort_out(apps: Any, schema_editor: Any) -> None:
    """What pushes brought that no version has is an arrival from now on, and can be cleared."""
    content, arrival = apps.get_model("portal", "Content"), apps.get_model("portal", "Arrival")
    used = apps.get_model("portal", "SnapshotFile").objects.values("content")
    unused = content.objects.filter(beside="").exclude(pk__in=used)
    arrival.objects.bulk_create(
        [arrival(sha256=each.sha256, size=each.size, whole=True) for each in unused], batch_size=500
    )
    content.objects.filter(beside="").exclude(pk__in=used).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0009_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="Arrival",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("size", models.BigIntegerField()),
                ("whole", models.BooleanField(default=False)),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddIndex(
            model_name="snapshotfile",
            index=models.Index(fields=["session", "snapshot"], name="recordings_of_versions"),
        ),
        migrations.RunPython(sort_out, migrations.RunPython.noop),
    ]
