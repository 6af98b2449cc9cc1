"""A process that leads: says so, and says whether it still does whenever it is asked."""

import asyncio
import sys

from understudy.core.store_place import parse_store_url
from understudy.store.bulletin import PostgresBulletin


async def main(url):
    bulletin = PostgresBulletin(parse_store_url(url))
    changed = asyncio.Event()
    bulletin.listen(lambda *_: None, changed.set)
    while not bulletin.leads:
        await changed.wait()
        changed.clear()
    print("leads", flush=True)  # noqa: T201 - to the test
    while await asyncio.to_thread(sys.stdin.readline):
        print("leads" if bulletin.leads else "follows", flush=True)  # noqa: T201 - to the test
    await bulletin.close()


asyncio.run(main(sys.argv[1]))
