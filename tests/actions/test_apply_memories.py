"""What checks remember when the inventory changes: one host's key says nothing about another's."""

from __future__ import annotations

from dataclasses import replace

from monitor.fleet import Fleet
from monitor.health.words import Service
from tests.actions.builders import Lookout, fleet, gye1, key, look, plan, server, uio1

SSH = key("gye1/ssh")


def watched(**options: object) -> Fleet:
    """Return a fleet in which gye1 has an `ssh` check with these options."""
    ssh = replace(plan("gye1/ssh", Service.FILES), options=options)
    return fleet(server(gye1().id, *gye1().checks, ssh), uio1())


def remembering(lookout: Lookout) -> dict[str, str]:
    """Look once at the check, which remembers a key, and return what is known of it."""
    seen = replace(look("gye1/ssh", "ok", lookout.clock.now()), remember={"key": "AAAA"})
    lookout.bureau.record([seen])
    return known(lookout)


def known(lookout: Lookout) -> dict[str, str]:
    return dict(lookout.bureau.memories().get(SSH, {}))


def test_a_restart_forgets_nothing(lookout: Lookout):
    lookout = lookout.restart(watched(host="a"))
    assert remembering(lookout) == {"key": "AAAA"}
    assert known(lookout.restart()) == {"key": "AAAA"}


def test_a_check_that_looks_at_something_else_begins_anew(lookout: Lookout):
    lookout = lookout.restart(watched(host="a"))
    remembering(lookout)
    lookout.bureau.apply(watched(host="b"))
    assert known(lookout) == {}


def test_so_it_does_when_the_file_changed_while_nobody_watched(lookout: Lookout):
    lookout = lookout.restart(watched(host="a"))
    remembering(lookout)
    assert known(lookout.restart(watched(host="b"))) == {}


def test_a_change_elsewhere_leaves_it_alone(lookout: Lookout):
    lookout = lookout.restart(watched(host="a"))
    remembering(lookout)
    changed = watched(host="a")
    lookout.bureau.apply(replace(changed, servers=changed.servers[:1]))
    assert known(lookout) == {"key": "AAAA"}


def test_a_check_that_comes_back_after_it_was_retired_begins_anew(lookout: Lookout):
    lookout = lookout.restart(watched(host="a"))
    remembering(lookout)
    lookout.bureau.apply(fleet())
    lookout.bureau.apply(watched(host="a"))
    assert known(lookout) == {}
