"""What is written to a connection after its end."""

import asyncio
import socket

import uvloop

from service.api.stand_ins import Mild


def test_an_answer_after_the_end_is_passed_over() -> None:
    async def story() -> tuple[bytes, bool]:
        ours, theirs = socket.socketpair()
        theirs.settimeout(20)
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        mild = Mild(transport)
        mild.write(b"before")
        received = await asyncio.to_thread(theirs.recv, 100)
        mild.abort()
        await asyncio.sleep(0)
        mild.write(b"after")
        theirs.close()
        return received, mild.is_closing()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(story()) == (b"before", True)
