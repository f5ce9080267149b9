"""The portal: a competition's data, submissions and leaderboards on the web; ``striate serve`` starts it.

A Django project of one application. `Place` says where its things lie; `running` starts its processes; the other packages
are its parts: accounts, receiving (from a file to a receipt), scoring (from a receipt to a score), boards, hosting.
"""

from striate.portal.place import Place

__all__ = ["Place"]
