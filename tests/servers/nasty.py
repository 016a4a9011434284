"""Plugins that do what no plugin should: each a script, and how long it may take to be sure that nothing of it is left.

`{mark}` stands in every command line that a script starts, so that whoever survives can be found.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

_SH = "#!/bin/sh\n"
_PYTHON = f"#!{sys.executable} -IS\nimport os, signal, sys, time\nMARK = '{{mark}}'\n"
# A program that waits for longer than any test, deaf to polite words, under a name that can be found.
_DEAF = "os.execv(sys.executable, [sys.executable, '-IS', '-c', DEAF, MARK])\n"
_WAITS = (
    "DEAF = 'import signal, time\\nfor n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\\n"
    "while True: signal.pause()'\n"
)

NASTY: Mapping[str, str] = {
    "waits": _SH + "exec sleep {mark}\n",
    "waits beside a child": _SH + "sleep {mark} & sleep {mark}\n",
    "is deaf": _SH + "trap '' TERM INT HUP\nwhile :; do sleep {mark}; done\n",
    "is deaf with a deaf child": _PYTHON + _WAITS + "os.fork()\n" + _DEAF,
    "closes what it prints to": _SH + "exec >&- 2>&-\nexec sleep {mark}\n",
    "leaves its session": _PYTHON + _WAITS + "if os.fork() == 0:\n    os.setsid()\n" + "    " + _DEAF + _DEAF,
    "leaves its group": _PYTHON
    + _WAITS
    + "if os.fork() == 0:\n    os.setpgid(0, 0)\n"
    + "    "
    + _DEAF
    + _DEAF,
    "becomes a daemon and says fine": _PYTHON
    + _WAITS
    + "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        "
    + _DEAF
    + "    os._exit(0)\nprint('OK')\n",
    "becomes a daemon that lets go of everything": _PYTHON
    + _WAITS
    + "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        for fd in range(64):\n"
    "            try: os.close(fd)\n            except OSError: pass\n        "
    + _DEAF
    + "    os._exit(0)\nprint('OK')\n",
    "becomes a daemon without an environment": _SH
    + "(setsid env -i sh -c 'trap \"\" TERM; while :; do sleep {mark}; done' >/dev/null 2>&1 &)\necho OK\n",
    "leaves a child that holds the pipe": _SH + "sleep {mark} &\necho OK\nexit 0\n",
    "leaves a hundred children": _SH + "for i in $(seq 100); do sleep {mark} & done\necho OK\n",
    "forks and dies again and again": _PYTHON
    + "sys.argv.append(MARK)\nend = time.monotonic() + 60\nprint('OK', flush=True)\n"
    "while time.monotonic() < end:\n    if os.fork():\n        os._exit(0)\n    time.sleep(0.002)\n",
    "forks and dies in new sessions": _PYTHON
    + "end = time.monotonic() + 60\nwhile time.monotonic() < end:\n    if os.fork():\n        os._exit(0)\n"
    "    os.setsid()\n    time.sleep(0.002)\n",
    "doubles itself seven times": _PYTHON
    + _WAITS
    + "for n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\n"
    "for _ in range(7):\n    if os.fork() == 0: os.setsid()\n" + _DEAF,
    "prints a gigabyte": _SH + "head -c 1000000000 /dev/zero | tr '\\0' x\n",
    "prints lines without end": _SH + "yes {mark}\n",
    "complains without end": _SH + "yes {mark} >&2\n",
    "prints when it is told to end": _SH
    + "trap 'yes {mark}' TERM\necho begun\nwhile :; do sleep {mark}; done\n",
    "stops itself": _SH + "sleep {mark} &\nkill -STOP $$\n",
    "stops its child": _SH + "sleep {mark} &\nkill -STOP $!\nwait\n",
    "kills itself": _SH + "sleep {mark} &\nkill -KILL $$\n",
    "kills its group": _SH + "sleep {mark} &\nkill -TERM 0\n",
    "dumps itself": _SH + "sleep {mark} &\nkill -ABRT $$\n",
    "ends in a way of its own": _SH + "sleep {mark} &\necho strange\nexit 77\n",
    "is no program": "just words {mark}\n",
    "is written for nobody": "#!/nonexistent/interpreter {mark}\n",
    "reads": _SH + "cat\necho OK\nsleep {mark}\n",
    "fills the disk": _SH + 'head -c 100000000 /dev/zero > "$0.{mark}"; ls -l "$0.{mark}"; exit 3\n',
    "fills the memory": _PYTHON
    + "try:\n    held = bytearray(4 << 30)\nexcept MemoryError:\n    print('no room')\n    sys.exit(3)\n",
    "opens everything": _PYTHON
    + "held = []\ntry:\n    while True: held.append(open('/dev/null'))\nexcept OSError as error:\n"
    "    print(len(held) < 1000)\n    sys.exit(3)\n",
    "burns the processor": _PYTHON + "sys.argv.append(MARK)\nwhile True: pass\n",
}
