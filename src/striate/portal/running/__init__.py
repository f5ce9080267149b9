"""Starting the portal: what must be there first, its processes, and how they end."""
