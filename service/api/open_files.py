"""How many files, connections among them, this process may have open."""

import resource

OTHERS = 256  # files that are no connections: the bundle, Redis, logs, threads, some to spare


def room_for(connections: int) -> int:
    """So many connections, or as many as the system allows; its soft limit is raised as far as that needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(16, min(connections, soft - OTHERS))
