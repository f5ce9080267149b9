"""The parts of an audit: each probe looks for one kind of leak in the public files, with the vault where there is one."""
